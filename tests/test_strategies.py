"""The exported strategies give what they say."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from theory import strategies as S
from theory.rectangle import Rectangle


@given(st.data())
def test_members_of_families(data):
    family = data.draw(S.families(3))
    mask = data.draw(S.members(family))
    assert mask in family and mask.dtype == np.int8 and mask.shape == family.shape


@given(st.integers(0, 2**12 - 1))
def test_mask_of_bits_is_bitwise(bits):
    mask = S.mask_of_bits(bits, 3, 4)
    assert sum(1 << p for p, v in enumerate(mask.ravel()) if v == 1) == bits


@given(S.simplex(4), S.simplex(4, exact=True), S.simplex(3, positive=True))
def test_simplices(p, q, r):
    assert abs(p.sum() - 1) < 1e-12 and (p >= 0).all()
    assert sum(q) == 1 and all(isinstance(x, Fraction) for x in q)
    assert (r > 0).all()


@given(S.mixtures(3), S.soft_maps(2, 3, low=0.0), S.rectangles(), S.similarities())
def test_mixtures_soft_maps_rectangles(mixture, soft, rectangle, similarity):
    assert set(mixture) == {"pure", "other", "background", "fitting"}
    assert ((0 <= mixture["fitting"]) & (mixture["fitting"] <= 1)).all()
    assert soft.shape == (2, 3) and (soft >= 0).all() and (soft <= 1).all()
    assert isinstance(rectangle, Rectangle) and (rectangle.half_widths > 0).all()
    assert similarity["scale"] > 0 and similarity["shift"].shape == (2,)
