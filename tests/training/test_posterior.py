"""Gaussian laws on weights: divergence and log-ratio against theory, draws, and what a map depends on."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2
from torch import nn

from tests.training.tiny import generator, variant
from theory.bounds.gaussian import kl_gaussians, log_ratio_gaussians
from training.data import Prepared, make_source, prepare
from training.fit import build
from training.metrics import rates
from training.model import AttentionNet
from training.posterior import (
    LEAST_SCALE,
    SCOPES,
    GaussianWeights,
    Looker,
    hard_losses,
    maps,
    scales_of,
    weights_of,
)

NEVER = 1e-7  # false-alarm rate of each statistical check below


def toy(seed=0, spread=0.5):
    """A law on two tensors that has been moved away from its prior."""
    g = generator(seed)
    means = {"a.weight": torch.randn(2, 3, generator=g), "a.bias": torch.randn(3, generator=g)}
    deviations = {n: 0.1 + torch.rand(m.shape, generator=g) for n, m in means.items()}
    law = GaussianWeights(means, deviations)
    with torch.no_grad():
        for u, v in zip(law.shifts, law.log_ratios, strict=True):
            u.copy_(spread * torch.randn(u.shape, generator=g))
            v.copy_(spread * torch.randn(v.shape, generator=g))
    return law


def flat(tensors):
    return np.concatenate([t.detach().double().numpy().ravel() for t in tensors])


def nats(law):
    return float(law.divergence().detach())


def in_numbers(law):
    """Mean, variance, prior mean, prior variance as float64 arrays ``(d,)``, from u, v and the prior."""
    m, d, u, v = (flat(x) for x in (law.means, law.deviations, law.shifts, law.log_ratios))
    return m + d * u, (d * np.exp(v)) ** 2, m, d**2


def tiny_net(seed=0, **changes):
    config = variant(seed=seed, **changes)
    return build(config, Prepared(make_source(config), None, None, None)).eval()


@pytest.mark.parametrize("seed", range(4))
def test_divergence_is_that_of_theory(seed):
    law = toy(seed)
    assert nats(law) == pytest.approx(float(kl_gaussians(*in_numbers(law))), rel=1e-12)
    assert law.divergence().dtype == torch.float64


@pytest.mark.parametrize("seed", range(4))
def test_log_ratio_is_that_of_theory(seed):
    law = toy(seed)
    for points in (law.draw(1, generator(seed + 9)), {n: m[None] + 3 for n, m in zip(law.names, law.means, strict=True)}):
        one = {n: w[0] for n, w in points.items()}
        want = log_ratio_gaussians(flat(one.values()), *in_numbers(law))
        assert law.log_ratio(one) == pytest.approx(float(want), rel=1e-9, abs=1e-9)


def test_mean_log_ratio_is_the_divergence():
    law, count = toy(1), 1500
    drawn = law.draw(count, generator(5))
    found = np.array([law.log_ratio({n: w[k] for n, w in drawn.items()}) for k in range(count)])
    error = found.std(ddof=1) / count**0.5
    assert abs(found.mean() - nats(law)) < 5.4 * error  # two-sided, NEVER
    assert error < 0.1 * nats(law)


def test_mean_likelihood_under_the_prior_is_one():
    """E_P dQ/dP = 1: the sign of every term of the log-ratio.  (The posterior is the narrower, so that
    the ratio is bounded and its mean has an error.)"""
    law = toy(2, spread=0.2)
    with torch.no_grad():
        for v in law.log_ratios:
            v.copy_(-v.abs() - 0.1)
    prior = GaussianWeights(dict(zip(law.names, law.means, strict=True)),
                            dict(zip(law.names, law.deviations, strict=True)))
    drawn = prior.draw(2500, generator(3))
    ratio = np.exp([law.log_ratio({n: w[k] for n, w in drawn.items()}) for k in range(2500)])
    assert abs(ratio.mean() - 1) < 5.4 * ratio.std() / 2500**0.5 < 0.2


def test_draws_have_the_stated_mean_and_deviation():
    law, count = toy(3), 5000
    mean, variance, _, _ = in_numbers(law)
    drawn = np.concatenate([w.detach().double().reshape(count, -1).numpy() for w in law.draw(count, generator(7)).values()], axis=1)
    z = (drawn.mean(axis=0) - mean) / np.sqrt(variance / count)
    assert (z**2).sum() < chi2.isf(NEVER, len(mean))
    squares = ((drawn - mean) ** 2 / variance).sum(axis=0)
    low, high = chi2.ppf([NEVER / 2, 1 - NEVER / 2], count)
    assert (squares > low).all() and (squares < high).all()
    correlation = np.corrcoef(drawn.T) - np.eye(len(mean))
    assert abs(correlation).max() < 6 / count**0.5


def test_draws_are_a_function_of_the_generator():
    law = toy()
    first = law.draw(3, generator(1))
    torch.manual_seed(99)
    again, other = law.draw(3, generator(1)), law.draw(3, generator(2))
    for name, w in first.items():
        assert w.shape == (3, *law.means[law.names.index(name)].shape)
        assert torch.equal(w, again[name]) and not torch.equal(w, other[name])
        assert not torch.equal(w[0], w[1])


def test_at_the_start_the_posterior_is_the_prior():
    law = toy(spread=0.0)
    assert nats(law) == 0.0
    assert law.log_ratio({n: w[0] for n, w in law.draw(1, generator()).items()}) == 0.0
    for name, w in law.center().items():
        assert torch.equal(w, law.means[law.names.index(name)])


def test_gradients_are_the_formulas():
    law = toy(4)
    law.divergence().backward()
    for u, v in zip(law.shifts, law.log_ratios, strict=True):
        torch.testing.assert_close(u.grad, u.detach())
        torch.testing.assert_close(v.grad, torch.expm1(2 * v.detach()), rtol=1e-5, atol=1e-6)
    law.zero_grad()
    law.draw(5, generator())["a.bias"].mean(0).sum().backward()
    place = law.names.index("a.bias")
    torch.testing.assert_close(law.shifts[place].grad, law.deviations[place])
    assert law.log_ratios[place].grad.abs().max() > 0


@given(st.floats(-3, 3, width=32), st.floats(-3, 3, width=32))
def test_divergence_is_zero_at_the_prior_alone(u, v):
    law = GaussianWeights({"w": torch.zeros(1)}, {"w": torch.ones(1)})
    with torch.no_grad():
        law.shifts[0].fill_(u)
        law.log_ratios[0].fill_(v)
    kl = nats(law)
    assert kl >= 0.5 * u * u * (1 - 1e-12)
    assert (kl > 0) == (u * u > 0 or abs(v) > 1e-12) or abs(v) < 1e-7


def test_moving_to_a_law():
    law = toy(spread=0.0)
    means = {n: m + 0.3 for n, m in zip(law.names, law.means, strict=True)}
    deviations = {n: 0.5 * d for n, d in zip(law.names, law.deviations, strict=True)}
    law.move_to(means, deviations)
    for name, w in law.center().items():
        torch.testing.assert_close(w.detach(), means[name])
    want = kl_gaussians(flat(means.values()), flat(deviations.values()) ** 2, *in_numbers(law)[2:])
    assert nats(law) == pytest.approx(float(want), rel=1e-5)


def test_the_prior_is_a_copy():
    mean = torch.ones(2)
    law = GaussianWeights({"w": mean}, {"w": torch.ones(2)})
    mean.zero_()
    assert law.means[0].tolist() == [1, 1] and {id(p) for p in law.parameters()} == {
        id(law.shifts[0]), id(law.log_ratios[0])}


@pytest.mark.parametrize(("means", "deviations", "message"), [
    ({"a": torch.ones(2)}, {"b": torch.ones(2)}, r"same names, got \['a'\] and \['b'\]"),
    ({"a": torch.ones(2)}, {"a": torch.ones(3)}, r"a: shapes \(2,\) and \(3,\) differ"),
    ({"a": torch.ones(2)}, {"a": torch.tensor([1.0, 0.0])}, "a: deviations must be positive, got 0"),
    ({"a": torch.ones(1)}, {"a": torch.tensor([float("nan")])}, "a: deviations must be positive, got nan"),
])
def test_bad_laws(means, deviations, message):
    with pytest.raises(ValueError, match=message):
        GaussianWeights(means, deviations)


@pytest.mark.parametrize("changes", [{"method": "rectangle"}, {"method": "rectangle", "gate": True},
                                     {"method": "positionwise"}, {"method": "cbam"}])
def test_a_map_depends_on_these_weights_and_no_other(changes):
    net, g = tiny_net(**changes), generator(1)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=g))
    log_f = net.look(net.features(torch.rand(4, 3, 32, 32, generator=g))).log_f
    names = [n for n, _ in net.named_parameters()]
    grads = torch.autograd.grad((log_f * torch.randn(log_f.shape, generator=g)).sum(), list(net.parameters()), allow_unused=True)
    moved = {n for n, grad in zip(names, grads, strict=True) if grad is not None and bool((grad != 0).any())}
    assert moved == set(weights_of(net))
    assert set(weights_of(net, "head")) == {n for n in moved if n.startswith("attention.")}


def test_weights_are_refused_where_a_law_on_them_says_too_little():
    with pytest.raises(ValueError, match=r"scope must be one of \['head', 'whole'\], got 'tail'"):
        weights_of(tiny_net(), "tail")
    for method in ("none", "simam", "centre"):
        with pytest.raises(ValueError, match="whose attention has weights is needed"):
            weights_of(tiny_net(method=method))
    net = tiny_net()
    normed = AttentionNet(nn.Sequential(net.trunk, nn.BatchNorm2d(8)), net.attention, net.tail)
    with pytest.raises(ValueError, match="learns its weights alone is needed, got 'trunk.1.running_mean'"):
        weights_of(normed)
    after = AttentionNet(net.trunk, net.attention, nn.Sequential(nn.BatchNorm2d(8), net.tail))
    assert set(weights_of(after)) == set(weights_of(net)) and set(SCOPES) == {"whole", "head"}


def test_scales_are_root_mean_squares():
    scales = scales_of({"a.weight": torch.tensor([[3.0, 4.0]]), "a.bias": torch.zeros(2), "b.bias": torch.zeros(1),
                        "c.weight": torch.full((2,), 1e-9)})
    assert scales["a.weight"].flatten().tolist() == pytest.approx([12.5**0.5] * 2)
    assert scales["a.bias"].tolist() == scales["a.weight"][0].tolist()
    assert scales["b.bias"].item() == scales["c.weight"][0].item() == pytest.approx(LEAST_SCALE)


@pytest.mark.parametrize("changes", [{"method": "rectangle"}, {"method": "positionwise"}, {"method": "cbam"},
                                     {"method": "rectangle", "count": 2, "shape": "ellipse"}])
def test_mapped_networks_equal_one_at_a_time(changes):
    net, g = tiny_net(**changes), generator(2)
    weights = weights_of(net)
    law = GaussianWeights(weights, {n: 1.0 * s for n, s in scales_of(weights).items()})
    drawn, images = law.draw(4, g), torch.rand(4, 3, 32, 32, generator=g)
    soft = maps(Looker(net, hard=False), drawn, images)
    hard = maps(Looker(net, hard=True), drawn, images)
    for k in range(4):
        alone = copy.deepcopy(net)
        alone.load_state_dict({n: w[k].detach() for n, w in drawn.items()}, strict=False)
        found = alone.look(alone.features(images[k : k + 1]))
        torch.testing.assert_close(soft[k], found.log_f[0], rtol=1e-4, atol=1e-4)
        assert torch.equal(hard[k], found.hard_mask()[0])
    assert hard.dtype == torch.int8 and set(hard.unique().tolist()) <= {-1, 1}
    assert len({tuple(h.flatten().tolist()) for h in hard}) > 1


def test_losses_are_missing_rates_over_known_positions():
    g = generator(4)
    masks = torch.randint(-1, 2, (5, 6, 6), generator=g).to(torch.int8)
    predicted = (2 * torch.randint(0, 2, (5, 6, 6), generator=g) - 1).to(torch.int8)
    found = hard_losses(masks, predicted)
    want = [float((p != m)[m != 0].double().mean()) for p, m in zip(predicted, masks, strict=True)]
    assert found.dtype == torch.float64 and found.tolist() == pytest.approx(want, rel=1e-12)
    assert float(found.mean()) == pytest.approx(rates(predicted, masks)["missing_rate"], rel=1e-6)
    known = torch.where(masks == 0, 1, masks)
    assert hard_losses(known, known).tolist() == [0] * 5 and hard_losses(known, -known).tolist() == [1] * 5
    with pytest.raises(ValueError, match="at least one position of every mask"):
        hard_losses(torch.cat([masks, torch.zeros(1, 6, 6, dtype=torch.int8)]), torch.ones(6, 6, 6, dtype=torch.int8))


def test_losses_on_real_truths():
    samples = prepare(variant()).train.head(4)
    assert hard_losses(samples.masks, samples.masks).tolist() == [0] * 4
    areas = (samples.masks == 1).double().mean((1, 2))
    torch.testing.assert_close(hard_losses(samples.masks, torch.full_like(samples.masks, -1)), areas)
