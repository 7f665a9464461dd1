"""Section 5.1, beyond the paper: the constants of the contraction bounds, in numbers."""

from __future__ import annotations

import math

from theory.bounds import contraction as C
from theory.claims.model import Claim, Measurement

S = 6.0


def _comparison() -> Measurement:
    """C for W the root mean square of the outputs' norms."""
    numbers = {f"half-widths {a} to {b}": C.complexity_constants(16, 16, S, a, b)["rectangle_rows"]
               for a, b in ((0.05, math.inf), (0.1, 0.5), (0.1, 0.1))}
    told = ", ".join(f"{value:.1f} ({name})" for name, value in numbers.items())
    return Measurement(numbers, f"C in R_S <= C W B/sqrt N, 16 x 16 cells, s = 6: rectangle {told}; "
                       "position-wise 0.25 at any size of the grid.", "counted")


sizes = Claim(
    id="contraction-constants", origin="beyond", source="section 5.1, norm-bounded heads",
    kind="empirical",
    title="How large the constants of both bounds are",
    statement=r"\hat{\mathcal R}_S\le C\,WB/\sqrt N",
    words="The constants of the two bounds at one grid and scale, for half-widths in several ranges: "
          "what the bounds say, not what the complexities are.",
    assumptions="16 x 16 cells, s = 6; W the root mean square of the outputs' norms",
    measure=_comparison, figure="certificates", code="theory.bounds.contraction.complexity_constants",
    test="tests/bounds/test_contraction.py")

CLAIMS = [sizes]
