"""Template: check claims of your own.  Copy it, edit it, then

    python -m theory verify my_claims.py            verdicts, counterexamples
    python -m theory verify my_claims.py --record   remember the statuses; later runs exit 1 if one changes

A margin says by how much the claim holds at an instance: an inequality holds iff it is >= 0, an
equality iff it is 0.  Return ints or Fractions where you can: then no tolerance is needed.
"""

from fractions import Fraction

from hypothesis import strategies as st

from theory import fitting_rate_exact, missing_rate_exact
from theory.claims import Claim
from theory.families import Rectangles

# Three rectangles on a 5 x 5 grid.
triples = st.fixed_dictionaries({name: Rectangles(5, 5).strategy() for name in "abc"})


def jaccard(a, b):
    """1 - IoU."""
    return 1 - fitting_rate_exact(a, b)


jaccard_triangle = Claim(
    id="jaccard-triangle",
    title="The Jaccard distance 1 - IoU obeys the triangle inequality",
    source="folklore",
    statement=r"d(a,c)\le d(a,b)+d(b,c)",
    kind="inequality",
    instances=triples,
    margin=lambda i: jaccard(i["a"], i["b"]) + jaccard(i["b"], i["c"]) - jaccard(i["a"], i["c"]),
)

# Not true: found and made small in a moment.
iou_bounds_hits = Claim(
    id="iou-bounds-hits",
    title="A fitting rate of at least 1/2 means a missing rate of at most 1/4",
    source="a plausible guess",
    statement=r"\tilde\Psi\ge\tfrac12\Rightarrow\Phi\le\tfrac14",
    kind="inequality",
    instances=triples,
    assumes=lambda i: fitting_rate_exact(i["a"], i["b"]) >= Fraction(1, 2),
    margin=lambda i: Fraction(1, 4) - missing_rate_exact(i["a"], i["b"]),
)
