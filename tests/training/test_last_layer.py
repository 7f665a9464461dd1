"""The last layer: what it is linear in, what is trained, norms and Lipschitz constants, few bits; the best constant."""

import copy
import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sims.supremum import extremes_of
from tests.training.tiny import variant
from theory.bounds.contraction import cellwise_complexity, contraction_complexity, signs_of
from theory.bounds.lipschitz import rectangle_constants
from theory.bounds.table import table
from theory.families import AllMasks, Rectangles
from theory.rates import missing_rate
from training.certificate import certificate, half_network
from training.config import LEARNT
from training.constant import best_constant, family_of
from training.data import prepare
from training.evaluate import evaluate, plain
from training.fit import build, fit, one_thread
from training.last_layer import (
    BITS,
    LAST,
    MARGIN,
    feature_norm,
    last_layer,
    lipschitz,
    quantised,
    ramp,
    refit,
    rounded,
)
from training.samples import IGNORED


def config_of(method, **changes):
    return variant(n=17, n_test=12, steps=8, starts=2, trial=0.5, method=method, **changes)


@pytest.fixture(scope="module", params=["rectangle-paper", "positionwise"])
def linear(request):
    with one_thread():
        config = config_of(request.param)
        data = prepare(config)
        half = half_network(SimpleNamespace(config=config))
        indices = torch.arange(9, 17)
        net = copy.deepcopy(half)
        refit(net, config, data.train, indices)
        return SimpleNamespace(config=config, data=data, half=half, net=net, indices=indices,
                               found=last_layer(config, data, half, indices))


@pytest.mark.parametrize("method", LEARNT)
def test_every_learnt_method_has_a_last_layer(method):
    """The map is a function of what comes out of it; no other layer of the attention comes after."""
    config = config_of(method)
    net = build(config, prepare(config))
    for name in LAST[method]:
        assert net.get_submodule(name).weight.requires_grad
    assert set(LAST) == set(LEARNT)


def test_only_its_weights_are_trained(linear):
    (name,) = LAST[linear.config.method]
    before, after = dict(linear.half.named_parameters()), dict(linear.net.named_parameters())
    changed = [n for n in after if not torch.equal(before[n], after[n])]
    assert changed == [f"{name}.weight"] and not any(p.requires_grad for p in after.values())
    assert linear.found["norms"]["distance"] == pytest.approx(
        float((after[changed[0]] - before[changed[0]]).detach().double().norm()), rel=1e-6)
    assert linear.found["norms"]["weight_norm"] == pytest.approx(float(after[changed[0]].detach().double().norm()), rel=1e-12)
    assert linear.found["weights"] == after[changed[0]].numel()


def test_the_first_half_is_left_as_it_was(linear):
    again = half_network(SimpleNamespace(config=linear.config))
    assert all(torch.equal(p, q) for p, q in zip(again.parameters(), linear.half.parameters(), strict=True))


def test_the_layer_is_linear_in_features_of_that_norm(linear):
    """By finite differences: the gradient of an output in the layer's weights IS the feature that it sees."""
    net = copy.deepcopy(linear.net).double()
    (name,) = LAST[linear.config.method]
    weight = net.get_submodule(name).weight.requires_grad_(True)
    x = linear.data.train.take(linear.indices).images.double()
    squares = []
    for image in x:
        features = net.features(image[None])
        if linear.config.method == "positionwise":
            outputs = net.attention.head(features).flatten()
        else:
            outputs = net.attention.head(features)[1].flatten()[:1]  # the first raw half-width
        for out in outputs:
            (g,) = torch.autograd.grad(out, weight, retain_graph=True)
            squares.append(float(g.square().sum()))
    assert feature_norm(linear.net, linear.data.train, linear.indices) == pytest.approx(
        math.sqrt(np.mean(squares)), rel=1e-4)
    assert linear.found["norms"]["feature_norm"] == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-4)


def test_losses_are_those_of_the_maps(linear):
    norms = linear.found["norms"]
    samples = linear.data.test.take(torch.arange(12))
    with torch.no_grad():
        seen = linear.net.look(linear.net.features(samples.images))
    a, z = samples.masks.double(), seen.logit().double()
    assert norms["test_soft"] == pytest.approx(float((0.5 - a * (seen.f.double() - 0.5)).mean()), rel=1e-5)
    assert norms["test_ramp"] == pytest.approx(float((1 - a * z / MARGIN).clamp(0, 1).mean()), rel=1e-5)
    hard = float((torch.where(z >= 0, 1, -1) != a).double().mean())
    assert norms["test_threshold"] == pytest.approx(hard, abs=1e-12)
    for name in ("", "test_"):
        assert norms[f"{name}threshold"] <= norms[f"{name}ramp"] + 1e-12
    assert float(ramp(seen, samples.masks, 1e-9).mean()) == pytest.approx(hard, abs=1e-6)


def test_lipschitz_constants(linear):
    found = lipschitz(linear.config, 8, 8)
    if linear.config.method == "positionwise":
        assert found == {"outputs": 64, "shared": True, "lipschitz_soft": 0.25, "lipschitz_ramp": 1.0}
    else:
        least = 0.75 / 7
        for margin, name in ((None, "soft"), (1.0, "ramp")):
            c = rectangle_constants(8, 8, 6.0, least, margin=margin)
            whole = math.sqrt(2) * (0.5 * c.center + 1.01 * c.half_width) + c.angle
            raw = (0.5 * c.center, 1.01 * c.half_width, c.angle)
            assert found[f"lipschitz_{name}"] == pytest.approx(
                min(whole / math.sqrt(5), math.hypot(*raw), 1.01 * c.euclidean), rel=1e-12)
        assert found["outputs"] == 5 and not found["shared"]


def test_the_loss_moves_no_faster_than_they_say(linear):
    """Along random changes of the layer: |loss difference| <= L |output difference|, image by image."""
    constants = lipschitz(linear.config, *linear.data.source.grid)
    (name,) = LAST[linear.config.method]
    samples, generator = linear.data.train.take(linear.indices), torch.Generator().manual_seed(0)

    def losses(net):
        with torch.no_grad():
            x = net.features(samples.images)
            seen = net.look(x)
            f, a = seen.f.double(), samples.masks.double()
            raw = (seen.logit().flatten(1) if constants["shared"] else
                   torch.cat([net.attention.head.out(net.attention.head.pooled(x))], dim=1))
            return (0.5 - a * (f - 0.5)).mean((1, 2)), ramp(seen, samples.masks, MARGIN), raw.double()

    base, most = losses(linear.net), 0.0
    for size in (1e-3, 1e-2, 0.1, 1.0):
        other = copy.deepcopy(linear.net)
        w = other.get_submodule(name).weight
        with torch.no_grad():
            w.add_(size * torch.randn(w.shape, generator=generator))
        moved = losses(other)
        gap = (moved[2] - base[2]).norm(dim=1)
        scale = 1 / math.sqrt(64) if constants["shared"] else math.sqrt(5)  # the mean over cells; the best units
        for k, loss in enumerate(("soft", "ramp")):
            limit = constants[f"lipschitz_{loss}"] * gap * scale
            assert ((moved[k] - base[k]).abs() <= limit + 1e-5).all()
            most = max(most, float(((moved[k] - base[k]).abs() / limit).max()))
    assert most > 0.001


@pytest.mark.parametrize("method", ["rectangle", "rectangle-softargmax", "rectangle-light", "cbam"])
def test_heads_without_constants_have_bits_alone(method):
    config = config_of(method)
    data = prepare(config)
    found = last_layer(config, data, build(config, data).eval(), torch.arange(9, 17))
    assert found["norms"] is None and [b["bits"] for b in found["bits"]] == list(BITS)
    assert found["weights"] == sum(build(config, data).get_submodule(n).weight.numel() for n in LAST[method])


@pytest.mark.parametrize("changes", [{"count": 2}, {"shape": "ellipse"}, {"half_range": "linear"}])
def test_other_shapes_have_no_constants(changes):
    assert lipschitz(config_of("rectangle-paper", **changes), 16, 16) is None


def test_rounding():
    w = torch.linspace(-1, 1, 101, dtype=torch.float64)
    for bits in (1, 2, 5):
        near = rounded(w, 1.0, bits)
        assert len(near.unique()) == 2**bits and float((near - w).abs().max()) <= 2.0**-bits + 1e-12
        assert torch.equal(rounded(near, 1.0, bits), near)


def test_few_bits_are_few_values_and_many_are_the_network(linear):
    seen = {}
    for bits in (1, 16):
        seen[bits] = quantised(linear.net, linear.config, linear.data, linear.indices, bits)
    row, _ = evaluate(plain(linear.net), linear.data.test, boxes=False)
    assert seen[16]["test_hard"] == pytest.approx(row["missing_rate"], abs=0.01)
    largest = float(linear.net.get_submodule(LAST[linear.config.method][0]).weight.detach().abs().max())
    power = math.ceil(math.log2(largest))
    assert seen[1]["range_nats"] == pytest.approx(2 * math.log1p(abs(power)) + math.log(math.pi**2 / 3 - 1))


def test_the_range_of_every_layer_is_paid_for():
    """A head of moments has two last layers, each with a range of its own."""
    config = config_of("rectangle")
    data = prepare(config)
    net = build(config, data).eval()
    powers = [math.ceil(math.log2(float(net.get_submodule(n).weight.detach().abs().max()))) for n in LAST["rectangle"]]
    paid = sum(2 * math.log1p(abs(p)) + math.log(math.pi**2 / 3 - 1) for p in powers)
    assert len(powers) == 2 and quantised(net, config, data, torch.arange(9, 17), 4)["range_nats"] == pytest.approx(paid)


def test_how_much_the_bounds_lose_on_small_changes(linear):
    """Exact complexity of small changes of the layer, over all signs, from gradients by autograd: both bounds lie
    above it, the cell-by-cell one within 5 times, that of five outputs by more than 20 times."""
    (name,) = LAST[linear.config.method]
    samples = linear.data.train.take(linear.indices)
    net = copy.deepcopy(linear.net)
    weight = net.get_submodule(name).weight.requires_grad_(True)
    f, a = net.look(net.features(samples.images)).f, samples.masks.float()
    losses = (0.5 - a * (f - 0.5)).mean((1, 2))
    g = torch.stack([torch.autograd.grad(loss, weight, retain_graph=True)[0].flatten() for loss in losses]).double()
    exact = float((torch.from_numpy(signs_of(len(g))) @ g).norm(dim=1).mean()) / len(g)
    norms, n = linear.found["norms"], len(linear.indices)
    if norms["shared"]:
        bound = cellwise_complexity(norms["lipschitz_soft"], 1.0, norms["feature_norm"], n)
        assert exact < bound < 5 * exact
    else:
        bound = contraction_complexity(norms["lipschitz_soft"], 1.0, norms["feature_norm"], 5, n)
        assert 20 * exact < bound


def test_the_second_half_alone_is_seen(linear):
    """Were the first half's images others, the refit would be the same."""
    net = copy.deepcopy(linear.half)
    part = linear.data.train
    shifted = type(part)(part.source, part.split, np.concatenate([np.arange(100, 109), part.indices[9:]]), part.device)
    refit(net, linear.config, shifted, linear.indices)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), linear.net.parameters(), strict=True))


@pytest.mark.parametrize("method", ["rectangle", "positionwise"])
def test_the_best_constant_is_the_best(method):
    data = prepare(config_of(method))
    found, truths = best_constant(method, data), data.train.all_masks().numpy()
    if method == "rectangle":
        members, family = np.stack(list(Rectangles(*truths.shape[1:]))), Rectangles(*truths.shape[1:])
        rates = missing_rate(members[:, None], truths[None]).mean(axis=1)
        assert found["empirical"] == pytest.approx(rates.min(), abs=1e-12)
        assert found["area"] in (members[np.isclose(rates, rates.min())] == 1).sum(axis=(1, 2))
    else:
        family = AllMasks(*truths.shape[1:], empty=True)
        most = np.maximum((truths == 1).mean(axis=0), (truths == -1).mean(axis=0))
        assert found["empirical"] == pytest.approx(1 - most.mean(), abs=1e-12)
    assert found["log_size"] == pytest.approx(math.log(family.size)) and found["n_samples"] == 17
    assert family_of(method, 8, 8).size == family.size and found["family"] == repr(family)
    assert extremes_of(family, truths.astype(np.int64).sum(axis=0)).exact and 0 <= found["test"] <= 1


@pytest.mark.parametrize("method", ["rectangle", "positionwise"])
def test_ignored_positions_count_in_no_rate_of_the_best_constant(method, monkeypatch):
    """Against plain counts of the positions where the best mask and a truth with zeros differ."""
    data, draw = prepare(config_of(method)), torch.Generator().manual_seed(3)
    for part in (data.train, data.test):
        ignored = torch.rand(part.held.masks[::2].shape, generator=draw).repeat_interleave(2, dim=0)[:part.n] < 0.3
        if part.n % 2:
            ignored[-1] = False  # an odd number of images counts everywhere: no ties
        masks = part.held.masks.masked_fill(ignored, IGNORED)
        monkeypatch.setattr(part, "held", dataclasses.replace(part.held, masks=masks))  # prepared data are shared
    found, (truths, tests) = best_constant(method, data), (p.all_masks().numpy() for p in (data.train, data.test))
    height, width = truths.shape[1:]
    score = truths.astype(int).sum(axis=0)
    if method == "rectangle":
        members = np.stack(list(Rectangles(height, width))).astype(int)
        scores = (members * score).sum(axis=(1, 2))
        best = members[scores == scores.max()]
    else:
        assert (score != 0).all()
        best = np.where(score > 0, 1, -1)[None]
    rates = [[np.mean([(b != t)[t != 0].mean() for t in masks]) for masks in (truths, tests)] for b in best]
    assert any(np.allclose((found["empirical"], found["test"]), rate, rtol=0, atol=1e-12) for rate in rates)
    wrong = np.mean([(best[0] != t).mean() for t in tests])
    assert abs(found["test"] - wrong) > 0.01  # the zeros are many enough to be seen


def test_large_networks_have_classes_and_no_posteriors(monkeypatch):
    import training.certificate as module

    monkeypatch.setattr(module, "MOST_WEIGHTS", 10)
    config = config_of("positionwise", analyses=("certificate",))
    data = prepare(config)
    run = fit(config, data)
    found = certificate(run, data)
    assert list(found) == ["last-layer", "constant"]
    row = {"key": "k", "method": config.method, "n": config.n, "grid": [8, 8], "parameters": 5, "mean_g": None,
           "config": dataclasses.asdict(config), "train": {"missing_rate": 0.1, "images": 17},
           "test": {"missing_rate": 0.1, "images": 12, "wrong_counts": None}, "certificate": found}
    assert {(line["bound"], line["predictor"]) for line in table(row) if line["predictor"] != "trained"} == {
        ("occam", "constant"), ("occam", "few-bits"), *(("cellwise", f"{w}-layer{e}") for w in ("last", "near")
                                                        for e in ("", "-ramp"))}
