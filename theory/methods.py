"""The attention methods by the names that rows carry: which of them draw rectangles, by which head.

A run of the head "coords" is called "rectangle", because that head is the default; a timing of the
module alone is called by its head, "rectangle-coords".
"""

from __future__ import annotations

HEAD_OF = {"rectangle": "coords", "rectangle-paper": "paper", "rectangle-softargmax": "softargmax",
           "rectangle-light": "light"}
"""The head of each method whose maps are rectangles."""

RECTANGLES = tuple(HEAD_OF)
TIMED_COORDS = "rectangle-coords"
"""The method "rectangle" where the module alone is timed."""


def is_rectangle(method: object) -> bool:
    """Whether a run's method predicts the parameters of rectangles; False for what is no name.

    A fixed rectangle ("centre") is not predicted.

    >>> is_rectangle("rectangle-paper"), is_rectangle("positionwise"), is_rectangle(None)
    (True, False, False)
    """
    return isinstance(method, str) and method in HEAD_OF


def one_rectangle(method: object, shape: str = "rectangle", count: int = 1) -> bool:
    """Whether each map is a single rectangle: ellipses and unions of several are not.

    Args:
        shape, count: of the module's maps, as in a run's configuration.

    >>> one_rectangle("rectangle"), one_rectangle("rectangle", count=3), one_rectangle("cbam")
    (True, False, False)
    """
    return is_rectangle(method) and shape == "rectangle" and count == 1
