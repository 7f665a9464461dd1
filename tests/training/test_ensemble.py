"""Members of an ensemble become what they become alone."""

import pytest
import torch

from tests.training.tiny import TINY, variant
from training.data import _kept, prepare
from training.ensemble import Ensemble
from training.fit import fit, one_thread
from training.run import run_cells
from training.sweep import groups


@pytest.fixture
def double():
    """Computes in float64, where the order of sums leaves ten digits."""
    torch.set_default_dtype(torch.float64)
    _kept.cache_clear()
    yield
    _kept.cache_clear()  # its images were made double
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("change", [{}, {"method": "positionwise"}, {"eqvc": "quotient"},
                                    {"supervision": "mask"}, {"method": "oracle"}])
def test_members_become_what_they_become_alone(change, double):
    configs = [variant(seed=seed, starts=2, **change) for seed in (0, 1, 5)]
    data = [prepare(config) for config in configs]
    for held in data:
        for part in (held.train, held.validation, held.test):
            object.__setattr__(part.held, "images", part.held.images.double())
    with one_thread():
        alone = [fit(config, held) for config, held in zip(configs, data, strict=True)]
        together = Ensemble(configs, data).fit()
    for a, b in zip(alone, together, strict=True):
        assert a.start == b.start and a.config.seed == b.config.seed
        for p, q in zip(a.net.parameters(), b.net.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)
        assert a.losses == pytest.approx(b.losses, rel=1e-6)
        assert [h["step"] for h in a.history] == [h["step"] for h in b.history]
        assert a.history[-1]["loss"] == pytest.approx(b.history[-1]["loss"], rel=1e-6)


def test_rows_of_an_ensemble_say_so():
    rows = run_cells([variant(seed=s, steps=2, starts=1) for s in (0, 1)])
    assert [r["seed"] for r in rows] == [0, 1] and {r["ensemble"] for r in rows} == {2}
    assert [r["key"] for r in rows] == [variant(seed=s, steps=2, starts=1).key for s in (0, 1)]


def test_members_must_be_alike():
    configs = [TINY, variant(seed=1, lr=0.5)]
    with pytest.raises(ValueError, match="differ in the seed alone"):
        Ensemble(configs, [prepare(c) for c in configs])
    with pytest.raises(ValueError, match="compile=False"):
        Ensemble([variant(compile=True)], [prepare(TINY)])


def test_a_member_whose_loss_is_not_finite_is_named():
    configs = [variant(seed=s, method="positionwise", lr=1e30, warmup=0, starts=1) for s in (0, 1)]
    with pytest.raises(RuntimeError, match="positionwise-label-n20-seed0"):
        Ensemble(configs, [prepare(c) for c in configs]).fit()


def test_groups_hold_every_cell_once():
    configs = [variant(seed=s, method=m) for s in range(3) for m in ("none", "oracle")]
    found = groups(configs, 2)
    assert sorted(len(g) for g in found) == [1, 1, 2, 2]
    assert {c.key for g in found for c in g} == {c.key for c in configs}
    assert all(len({c.method for c in g}) == 1 for g in found)
