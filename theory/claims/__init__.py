"""Claims, their verification and the ledger of the paper's claims.

>>> from hypothesis import strategies as st
>>> from theory.claims import Claim, verify
>>> square = Claim(id="square", title="squares exceed", source="nowhere", kind="inequality",
...                statement=r"x^2 \\ge x", instances=st.integers(-9, 9).map(lambda k: k / 10),
...                margin=lambda x: x * x - x)
>>> verify(square, examples=100).status
'refuted'
"""

from theory.claims.engine import verify
from theory.claims.margins import ClaimError
from theory.claims.model import Claim, Evidence, Measurement, Proof, Undefined, Verdict

__all__ = ["Claim", "ClaimError", "Evidence", "Measurement", "Proof", "Undefined", "Verdict",
           "verify"]
