"""What goes into bounds, as Hypothesis strategies."""

from __future__ import annotations

from hypothesis import strategies as st

UNIT = st.floats(0, 1)
RHO = st.floats(-1, 1)
SIZE = st.integers(1, 10**6)
DELTA = st.floats(1e-9, 1 - 1e-9)
