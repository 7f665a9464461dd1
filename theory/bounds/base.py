r"""What every bound is: an object that states its assumptions, its level, and where its slack goes.

A :class:`Bound` is made with its ``delta`` and asked with the ingredients that it ``needs``, by name
(:data:`INGREDIENTS`); arrays broadcast, one number a row.  The formulas are functions of their own
in the same file; the object only names, checks and splits them.

A bound is built up from a number that would do if nothing were unknown (the empirical loss) in
stages, each of which adds what one ingredient costs: :meth:`Bound.stages`.  The last stage is the
bound, and the differences are its slack by cause.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds import DELTA
from theory.bounds.checks import check_delta

INGREDIENTS = {
    "losses": "losses in [0, 1] of held-out examples, (..., n)",
    "empirical": "mean loss of the predictor on the training sample (or the part that is bounded)",
    "gibbs": "mean loss on that sample of m predictors drawn from the posterior, averaged over them",
    "draws": "m, the number of predictors that were drawn",
    "drawn": "mean loss on that sample of one predictor drawn from the posterior",
    "n_samples": "N, the size of that sample",
    "kl": "KL(Q || P) of posterior and prior, nats",
    "log_ratio": "log of the density of the posterior over that of the prior at the drawn predictor",
    "log_size": "log of the number of predictors in the class, nats",
    "prior_choices": "nats paid for the choice of the prior from a grid (0: chosen beforehand)",
    "rho": "relevance level  [Eq. 14]",
    "mean_g": "mean over the sample's truths of g(a) = max_b Phi(b, a)",
    "complexity": "empirical Rademacher complexity of the losses of the class on the sample",
    "lipschitz": "Lipschitz constant of the loss in the head's outputs (or L of their best units)",
    "slope": "largest slope of the loss of one cell in its logit",
    "weight_norm": "bound on the norm of the head's weights",
    "feature_norm": "root mean square of the features' norms on the sample",
    "outputs": "K, the number of outputs of the head",
    "norm_choices": "nats paid for the choice of weight_norm from a grid (0: chosen beforehand)",
}
"""What bounds are made from, by name."""


@dataclass(frozen=True)
class Assumptions:
    """What must be so for a bound to hold.

    Args:
        random: what the probability 1 - delta is over.
        uniform: over what the statement holds at once.
        losses: their range.
    """

    random: str
    uniform: str
    losses: str = "[0, 1]"


@dataclass(frozen=True)
class Bound(ABC):
    """An upper bound on a risk, with probability at least 1 - ``delta``.

    Subclasses state ``name`` (a key), ``title``, ``statement`` (LaTeX), ``source`` and
    ``assumptions``.

    Raises:
        ValueError: delta outside (0, 1).
    """

    delta: float = DELTA

    name: ClassVar[str]
    title: ClassVar[str]
    statement: ClassVar[str]
    source: ClassVar[str]
    assumptions: ClassVar[Assumptions]

    def __post_init__(self) -> None:
        check_delta(self.delta)

    @abstractmethod
    def stages(self, **given: Any) -> dict[str, np.ndarray]:
        """Numbers that grow to the bound, by what each step pays for; the first is the start.

        The signature of a subclass names its ingredients.
        """

    def upper(self, **given: Any) -> np.ndarray:
        """The bound: the last stage.  Ingredients that it does not need are ignored.

        Raises:
            ValueError: an ingredient is missing (named), or out of range.
        """
        return list(self.stages(**self.take(given)).values())[-1]

    def slack(self, **given: Any) -> dict[str, np.ndarray]:
        """What each step adds, by its name; with the first stage they sum to the bound."""
        return added(self.stages(**self.take(given)))

    @classmethod
    def needs(cls) -> tuple[str, ...]:
        """The names of its ingredients."""
        return tuple(p.name for p in inspect.signature(cls.stages).parameters.values()
                     if p.kind is p.KEYWORD_ONLY)

    @classmethod
    def lacks(cls, given: Mapping[str, Any]) -> tuple[str, ...]:
        """The ingredients that are not given (or None)."""
        return tuple(name for name in cls.needs() if given.get(name) is None)

    def take(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The ingredients that it needs, from ``given``."""
        missing = self.lacks(given)
        if missing:
            raise ValueError(f"the bound {self.name!r} needs {missing[0]} "
                             f"({INGREDIENTS[missing[0]]}), which is not given")
        return {name: given[name] for name in self.needs()}


def added(stages: Mapping[str, Any]) -> dict[str, Any]:
    """What each stage adds to the one before, by its name; the first adds nothing and is left out.

    >>> added({"empirical": 1, "confidence": 3})
    {'confidence': 2}
    """
    names, values = list(stages), list(stages.values())
    return {name: values[i] - values[i - 1] for i, name in enumerate(names) if i}
