"""Singular values, Prop. 4's ratios and collisions: against formulas, NumPy and theory."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from tests.training.tiny import generator
from theory.injectivity import find_collision, log_scale_limit, prop4_ratio
from training.attention import PositionwiseAttention, RectangularAttention
from training.injective import collision_search, prop4_ratios, prop4_search, study
from training.jacobian import (
    Jacobian,
    orientation,
    pull_back,
    sigma_min_exact,
    sigma_min_lanczos,
)

MODULES = {"coords": lambda **o: RectangularAttention(3, **o),
           "paper": lambda **o: RectangularAttention(3, head="paper", **o),
           "positionwise": lambda **o: PositionwiseAttention(3, width=8, dilation=2, **o)}


def features(n=6, channels=3, height=6, width=7, seed=0):
    return torch.randn(n, channels, height, width, generator=generator(seed)).abs() + 0.1


def trained(name, **options):
    """Weights large enough for the map to depend on the features."""
    torch.manual_seed(0)
    module = MODULES[name](**options)
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(2.0)
    return module


def constant(value):
    return lambda x: x * (1 + value)


def gated(weights):
    """f = sigmoid(<w, x>) at every position: the Jacobian is (1 + f) I + f (1 - f) x w^T."""
    return lambda x: x * (1 + torch.sigmoid((x * weights).sum((1, 2, 3), keepdim=True)))


def gated_jacobian(weights, x):
    w, v = weights.numpy().ravel(), x.numpy().ravel()
    f = 1 / (1 + math.exp(-(w @ v)))
    return (1 + f) * np.eye(len(v)) + f * (1 - f) * np.outer(v, w)


def folding(x):
    """f falls steeply where the norm passes 1: colliding inputs on both sides."""
    size = x.norm(dim=1, keepdim=True)
    return x * (1 + torch.sigmoid(-12 * (size - 1)))


def folding_map(x):
    """The same predictor for theory: (H, W, C) to (H, W)."""
    return 1 / (1 + np.exp(np.clip(12 * (np.linalg.norm(x, axis=-1) - 1), -700, 700)))


@pytest.mark.parametrize("strength", [0.0, 0.3, -2.0])
def test_singular_values_of_a_jacobian_known_in_closed_form(strength):
    x = features(1)[0].double()
    weights = strength * torch.randn(x.shape, generator=generator(4), dtype=torch.float64)
    expected = np.linalg.svd(gated_jacobian(weights, x), compute_uv=False)
    exact = sigma_min_exact(gated(weights), x)
    found = sigma_min_lanczos(gated(weights), x, generator())
    for key, value in (("sigma_min", expected[-1]), ("sigma_max", expected[0])):
        assert exact[key] == pytest.approx(value, rel=1e-10)
        assert found[key] == pytest.approx(value, rel=1e-6)
    assert found["converged"] and not exact["bound"]
    assert found["steps"] <= 6  # three different eigenvalues at most: the space is invariant early
    assert orientation(gated(weights), x)["sign"] == np.sign(np.linalg.det(gated_jacobian(weights, x)))


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("rescale", [True, False])
def test_both_routes_agree_on_real_modules(name, rescale):
    module, x = trained(name, rescale=rescale), features(1)[0]
    exact = sigma_min_exact(module, x)
    found = sigma_min_lanczos(module, x, generator())
    assert found["converged"] and exact["size"] == exact["rows"] == 126
    assert found["sigma_min"] == pytest.approx(exact["sigma_min"], rel=1e-3)
    assert found["sigma_max"] == pytest.approx(exact["sigma_max"], rel=1e-3)
    few = sigma_min_lanczos(module, x, generator(), steps=1)
    assert not few["converged"]
    for inner in (few, found):  # never outside the true range, converged or not
        assert inner["sigma_min"] >= exact["sigma_min"] - 1e-5
        assert inner["sigma_max"] <= exact["sigma_max"] + 1e-5


@pytest.mark.parametrize("name", MODULES)
def test_the_jacobian_from_few_passes_is_the_whole_one(name):
    """D + X F against all rows by automatic differentiation, and against differences."""
    module, x = trained(name), features(1)[0]
    x[:, 1, 2] = 0.0
    _, whole = pull_back(module, x, torch.eye(126).view(-1, *x.shape))
    whole, jacobian = whole.flatten(1).double(), Jacobian(module, x)
    v, u = (torch.randn(126, generator=generator(k), dtype=torch.float64) for k in (1, 2))
    assert torch.allclose(jacobian.apply(v), whole @ v, atol=1e-4)
    assert torch.allclose(jacobian.transposed(u), whole.T @ u, atol=1e-4)
    back = torch.linalg.solve(whole.T @ whole, u)
    assert torch.allclose(jacobian.inverse_gram(u), back, atol=1e-3)
    assert orientation(module, x)["sign"] == int(torch.linalg.slogdet(whole).sign)
    step = 1e-3
    with torch.no_grad():
        ends = [module((x + sign * step * v.view_as(x).float())[None]) for sign in (1, -1)]
    difference = (ends[0] - ends[1]).flatten().double() / (2 * step)
    assert torch.allclose(jacobian.apply(v), difference, atol=2e-2, rtol=2e-2)


def test_changes_of_scale_go_to_changes_of_scale():
    module, x = trained("paper"), features(1)[0]
    jacobian, s = Jacobian(module, x), torch.randn(42, dtype=torch.float64, generator=generator())
    out = jacobian.apply((s * x.double().flatten(1)).flatten())
    assert torch.allclose(out, ((jacobian.scales @ s) * x.double().flatten(1)).flatten(), atol=1e-5)


def test_some_rows_bound_the_smallest_singular_value_from_above():
    module, x = trained("paper"), features(1)[0]
    whole = sigma_min_exact(module, x)["sigma_min"]
    found = [sigma_min_exact(module, x, rows=k, generator=generator(k)) for k in (1, 40, 125)]
    assert all(f["bound"] and f["sigma_min"] >= whole - 1e-6 for f in found)
    assert sigma_min_exact(module, x, rows=126, generator=generator())["sigma_min"] == (
        pytest.approx(whole, rel=1e-6))


@pytest.mark.parametrize(("at", "sign"), [(0.3, 1), (1.05, -1), (3.0, 1)])
def test_the_sign_is_that_of_the_slope(at, sign):
    """On one number the determinant is the slope of r (1 + f(r)), negative on the way back."""
    found = orientation(folding, torch.tensor([[[at]]], dtype=torch.float64))
    r = np.array([[at - 1e-6], [at + 1e-6]])
    slope = np.diff(r[:, 0] * (1 + folding_map(r)))
    assert found["sign"] == sign == np.sign(slope[0]) and found["distance"] == 1


def test_an_exactly_singular_jacobian():
    x = torch.full((1, 1, 1), 2.0, dtype=torch.float64)
    assert sigma_min_lanczos(lambda v: v * (1 / v), x, generator())["sigma_min"] == 0


def test_a_fold_is_singular():
    """Where r (1 + f(r)) has slope 0 the Jacobian is singular."""
    r = np.linspace(0.5, 1.5, 200001)
    slope = np.gradient(r * (1 + folding_map(r[:, None])), r)
    at = float(r[np.flatnonzero(np.diff(np.sign(slope)))[0]])
    x = torch.tensor([[[at]], [[0.0]]], dtype=torch.float64)
    for found in (sigma_min_exact(folding, x), sigma_min_lanczos(folding, x, generator())):
        assert found["sigma_min"] < 1e-3
        assert found["sigma_max"] == pytest.approx(1 + float(folding_map(np.array([at]))), rel=1e-3)


def test_ratios_of_prop_4_are_those_of_theory():
    x, y = features(5), features(5, seed=9)
    found = prop4_ratios(folding, x, y)
    for k in range(5):
        a, b = (v[k].movedim(0, -1).double().numpy() for v in (x, y))
        assert float(found[k]) == pytest.approx(prop4_ratio(folding_map, a, b), rel=1e-4)


def test_a_constant_map_has_one_ratio_and_no_collision():
    x = features()
    found = prop4_search(constant(0.7), x, generator(), steps=5)
    for key in ("random_median", "random_max", "climbed_max", "at_zero"):
        assert found[key] == pytest.approx(0.7, rel=1e-3)
    assert found["below_one"]
    near = collision_search(constant(0.7), x[0], generator(), rescaled=False, starts=4, steps=20)
    assert near["ratio"] == pytest.approx(1.7, rel=1e-4) and not near["candidate"]


def test_the_climb_reaches_a_known_supremum():
    """f(x) = |x| / (2 R) on one number: the ratio is (a + b) / (2 R), at most 1 less the gap."""
    x = torch.linspace(0.1, 2.0, 12).view(12, 1, 1, 1)
    found = prop4_search(lambda v: v * (1 + v.abs() / 4), x, generator(), pairs=8, steps=200,
                         least=0.02)
    assert found["radius"] == pytest.approx(2.0) and found["random_max"] < 0.99
    assert found["climbed_max"] == pytest.approx(0.99, abs=2e-3)
    assert found["climbed_max"] < 0.991 and found["below_one"]  # a gap of 0.04, shrunk by 1 % at most


@pytest.mark.parametrize("name", MODULES)
def test_rescaled_maps_never_meet_the_hypothesis_of_prop_4(name):
    """At zero the ratio is the root mean square of f~, at least 1 and above it unless f~ = 1."""
    module, x = trained(name), features()
    found = prop4_search(module, x, generator(), pairs=8, climbed=2, steps=10)
    even = torch.full_like(x[:1], float(x.square().mean().sqrt()))
    with torch.no_grad():
        scaled = ((module(even) - even) / even)[0, 0].double()
    assert float(scaled.mean()) == pytest.approx(1, abs=1e-5)
    assert found["at_zero"] == pytest.approx(float(scaled.square().mean().sqrt()), rel=1e-4)
    assert found["at_zero"] >= 1 - 1e-6 and not found["below_one"]
    assert found["climbed_max"] >= found["random_max"] >= found["random_median"]


def test_a_collision_is_found_where_theory_finds_one():
    x = torch.full((2, 2, 2), 0.9 / 2**0.5)
    values = x.movedim(0, -1).double().numpy()
    known = find_collision(folding_map, values)
    assert known is not None
    found = collision_search(folding, x, generator(), rescaled=False, steps=400)
    assert found["candidate"] and found["ratio"] < 1e-4
    assert 0.05 * math.log(2) <= found["t_max"] <= math.log(2) and found["distance"] > 0.02
    far = collision_search(folding, 5 * x, generator(), rescaled=False, steps=50)
    assert not far["candidate"] and far["ratio"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("rescaled", [True, False])
def test_log_scales_keep_away_from_0_and_within_the_limit(rescaled):
    seen = []

    def watched(x):
        seen.append(x.detach())
        return constant(0.5)(x)

    x = features(1)[0]
    x[:, 1:] = 0.0  # most positions count nothing
    found = collision_search(watched, x, generator(), rescaled=rescaled, starts=5, steps=30, least=0.2)
    assert found["limit"] == log_scale_limit(6, 7, rescaled=rescaled)
    live = (x != 0).any(0)
    for moved in seen[1:]:
        t = (moved / x)[:, :, live].log()
        assert torch.allclose(t, t[:, :1].expand_as(t), atol=1e-4)  # one factor a position
        largest = t.abs().amax(dim=(1, 2))
        assert float(largest.min()) >= 0.2 * found["limit"] - 1e-4
        assert float(largest.max()) <= found["limit"] + 1e-4
    assert float((seen[1] / x)[0, :, live].log().std()) < 1e-5  # the first start is a common scaling


def test_study_is_plain_and_repeats():
    module, x = trained("coords"), features(4, 3, 4, 4)
    options = {"rescaled": True, "points": 2, "starts": 2, "steps": 10}
    found = study(module, x, generator(), **options)
    assert json.loads(json.dumps(found)) == found
    folded = study(folding, torch.tensor([1.05, 1.06]).view(2, 1, 1, 1), generator(), rescaled=False, points=1,
                   starts=2, steps=5)
    assert folded["reversed"] == 2
    assert found == study(module, x, generator(), **options)
    assert found["points"] == 2 and len(found["lanczos"]) == 2
    assert found["sigma_min"] == min(s["sigma_min"] for s in found["lanczos"])
    assert found["rows"]["rows"] == 48 and found["reversed"] == 0
    assert found["lanczos"][0]["sigma_min"] == pytest.approx(found["rows"]["sigma_min"], rel=1e-3)
    assert study(module, x, generator(), **options, rows=10)["rows"] is None
    assert all(p.grad is None for p in module.parameters())


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Jacobian(constant(1), features()), "shape .C, H, W."),
    (lambda: Jacobian(lambda x: x[:, :1], features()[0]), "keeps the shape"),
    (lambda: Jacobian(lambda x: x.flip(1), features()[0]), "one number"),
    (lambda: sigma_min_exact(constant(1), features()[0], rows=0, generator=generator()),
     "rows must be in 1 to 126, got 0"),
    (lambda: sigma_min_exact(constant(1), features()[0], rows=3), "pass a generator"),
    (lambda: sigma_min_lanczos(constant(1), features()[0], generator(), steps=0), "steps must be"),
    (lambda: prop4_ratios(constant(1), features(), features(5)), "one shape"),
    (lambda: prop4_ratios(constant(1), features(), features()), "two distinct inputs"),
    (lambda: prop4_search(constant(1), features(1), generator()), "at least 2 points"),
    (lambda: prop4_search(constant(1), features(), generator(), pairs=0), "pairs must be"),
    (lambda: prop4_search(constant(1), features(), generator(), least=1.0), "least must be"),
    (lambda: prop4_search(trained("coords", residual=False), features(), generator()), "residual=True"),
    (lambda: collision_search(constant(1), features(), generator(), rescaled=False), "shape .C, H, W."),
    (lambda: collision_search(constant(1), 0 * features()[0], generator(), rescaled=False),
     "0 everywhere"),
    (lambda: collision_search(constant(1), features()[0], generator(), rescaled=False, least=0.0),
     "least must be"),
    (lambda: collision_search(constant(1), features()[0], generator(), rescaled=False, starts=0),
     "starts must be"),
    (lambda: study(constant(1), features(), generator(), rescaled=False, points=0), "points must be"),
])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
