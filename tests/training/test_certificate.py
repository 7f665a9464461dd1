"""What a certificate is made of: which network, which images, which price; the split prior is blind."""

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import training.certificate
from tests.training.tiny import variant
from theory.bounds.evidence import PREDICTORS
from theory.bounds.gaussian import kl_gaussians
from theory.bounds.pac_bayes import gibbs_upper
from theory.bounds.pac_bayes_kl import pac_bayes_kl
from theory.bounds.table import table
from theory.methods import is_rectangle
from training.certificate import (
    DICE,
    GRID,
    LENGTHS,
    LOGITS,
    MASK_NOISE,
    NOISE,
    POSTERIORS,
    ROUNDS,
    WIDE,
    WIDE_CELLS,
    certificate,
    half_network,
    initial,
    initial_trained,
    possible,
    split,
    split_trained,
    wide_deviations,
)
from training.config import LEARNT
from training.data import Prepared, prepare
from training.evaluate import evaluate, plain
from training.fit import build, fit, one_thread
from training.gibbs import losses_of
from training.last_layer import LAST
from training.posterior import scales_of, weights_of
from training.run import run_cell

TINY = variant(n=17, n_test=12, steps=8, starts=2, trial=0.5, method="positionwise", analyses=("certificate",))
FIELDS = {"n_samples", "weights", "kl", "prior_choices", "gibbs", "draws", "drawn", "drawn_counts", "log_ratio", "center",
          "test_gibbs", "test_drawn", "test_center", "seconds"}


@dataclasses.dataclass
class Finished:
    """A finished run, its data, the network of the first half, the certificate."""

    run: object
    data: Prepared
    half: object
    found: dict


@pytest.fixture(scope="module", params=["positionwise", "rectangle"])
def made(request):
    with one_thread():
        config = dataclasses.replace(TINY, method=request.param)
        data = prepare(config)
        run = fit(config, data)
        return Finished(run, data, half_network(run), certificate(run, data))


def posteriors(made):
    return [(name, made.found[name]) for name in POSTERIORS]


def means(law):
    return dict(zip(law.names, law.means, strict=True))


def deviations(law):
    return dict(zip(law.names, law.deviations, strict=True))


def flat(tensors):
    return np.concatenate([t.detach().double().numpy().ravel() for t in tensors])


def without_clock(found):
    return {name: {k: v for k, v in each.items() if k != "seconds"} for name, each in found.items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_all_posteriors_with_all_fields(made):
    assert list(made.found) == [*POSTERIORS, "last-layer", "constant"] and set(POSTERIORS) < set(PREDICTORS)
    size = {scope: sum(w.numel() for w in weights_of(made.run.net, scope).values()) for scope in ("whole", "head")}
    counted = {"split": 8, "split-trained": 12, "initial": 17, "initial-trained": 17}
    for name, found in posteriors(made):
        assert set(found) == FIELDS and found["weights"] == size["head" if name == "initial-trained" else "whole"]
        assert found["n_samples"] == counted[name]
        assert found["draws"] == ROUNDS * found["n_samples"] and found["seconds"] >= 0
        for rate in ("gibbs", "drawn", "center", "test_gibbs", "test_drawn", "test_center"):
            assert 0 <= found[rate] <= 1
    assert json.loads(json.dumps(made.found, allow_nan=False)) == made.found


def test_the_split_posterior_is_its_prior(made):
    found = made.found["split"]
    assert found["kl"] == 0.0 and found["log_ratio"] == 0.0 and found["prior_choices"] == 0.0
    assert made.found["split-trained"]["kl"] > 0 == made.found["split-trained"]["prior_choices"]


def test_what_is_chosen_is_paid_for(made):
    assert made.found["initial"]["prior_choices"] == pytest.approx(math.log(len(GRID) * 2), rel=1e-15)
    assert made.found["initial-trained"]["prior_choices"] == 0 < made.found["initial-trained"]["kl"]


def test_counts_are_the_drawn_networks_losses(made):
    cells = made.data.source.grid[0] * made.data.source.grid[1]
    for _, found in posteriors(made):
        counts = {int(k): v for k, v in found["drawn_counts"].items()}
        assert sum(counts.values()) == found["n_samples"] and min(counts.values()) > 0
        assert sum(k * v for k, v in counts.items()) / (cells * found["n_samples"]) == pytest.approx(found["drawn"], rel=1e-12)


def test_the_centre_of_initial_is_the_run(made):
    """The bounded loss is that of the rows."""
    for part, name in ((made.data.train, "center"), (made.data.test, "test_center")):
        row, _ = evaluate(plain(made.run.net), part, boxes=False)
        assert made.found["initial"][name] == pytest.approx(row["missing_rate"], abs=2 / 64 / part.n)  # cells on an edge


def test_the_split_centre_is_the_run_of_half_the_size(made):
    half = dataclasses.replace(made.run.config, n=9, analyses=())
    alone = fit(half, prepare(half))
    assert same(weights_of(alone.net), weights_of(made.half))
    rest, _ = evaluate(plain(alone.net), part_of(made.data, range(9, 17)), boxes=False)
    assert made.found["split"]["center"] == pytest.approx(rest["missing_rate"], abs=2 / 64 / 8)


def part_of(data, indices):
    part = data.train
    return type(part)(part.source, part.split, np.asarray(indices), part.device)


def test_the_halves_do_not_meet(made):
    """The prior's images are the first ones of the run, bit for bit; the bound counts the others."""
    half = prepare(dataclasses.replace(made.run.config, n=9, analyses=()))
    first = made.data.train.take(torch.arange(9))
    whole = half.train.take(torch.arange(half.train.n))
    assert torch.equal(first.images, whole.images) and torch.equal(first.masks, whole.masks) and torch.equal(first.labels, whole.labels)
    counted = split(made.run, made.data, made.half)
    assert counted.indices.tolist() == list(range(9, 17)) and counted.data is made.data
    assert same(means(counted.law), weights_of(made.half))


def test_the_quarter_with_masks_makes_the_prior_of_split_trained(made):
    """Bit for bit the network of a run of that size with masks; were run, data and half others, it would be the same."""
    config = dataclasses.replace(made.run.config, n=5, supervision="mask", analyses=())
    quarter = fit(config, prepare(config))
    assert torch.equal(prepare(config).train.take(torch.arange(5)).images, made.data.train.take(torch.arange(5)).images)
    found = split_trained(SimpleNamespace(config=made.run.config, net=None, start=None), made.data, None)
    assert same(means(found.law), weights_of(quarter.net)) and found.indices.tolist() == list(range(5, 17))
    assert not same(weights_of(quarter.net), weights_of(fit(dataclasses.replace(config, supervision="label"), prepare(config)).net))
    assert same(weights_of(found.net), weights_of(quarter.net)) and found.prior_choices == 0 < float(found.law.divergence().detach())


def test_the_split_prior_is_blind_to_the_second_half(made):
    """Were the data of the run and its network others, the prior would be the same."""
    strangers = SimpleNamespace(config=made.run.config, net=None, start=None)
    assert same(weights_of(half_network(strangers)), weights_of(made.half))
    law = split(strangers, made.data, made.half).law
    for name, mean, deviation in zip(law.names, law.means, law.deviations, strict=True):
        scale = float(mean.double().square().mean().sqrt()) or None
        if scale and scale > 1e-3:
            assert torch.allclose(deviation, torch.full_like(mean, NOISE * scale), rtol=1e-5), name


def test_the_prior_stays_where_the_posterior_is_trained(made):
    law = split_trained(made.run, made.data, made.half).law
    assert all(torch.equal(d, MASK_NOISE * s) for d, s in zip(law.deviations, scales_of(means(law)).values(), strict=True))
    law = initial_trained(made.run, made.data, made.half).law
    start = weights_of(build(made.run.config, made.data), "head")
    assert same(means(law), start) and same(deviations(law), wide_deviations(start, made.run.config.method))
    assert float(law.divergence().detach()) > 0


def test_initial_trained_knows_nothing_of_the_run_but_its_sample(made):
    """The trunk is that of the initialisation: what has no law must not depend on the images that are counted."""
    strangers = SimpleNamespace(config=made.run.config, net=None, start=None)
    found = initial_trained(strangers, made.data, None)
    assert same(weights_of(found.net), weights_of(build(made.run.config, made.data)))
    assert all(n.startswith("attention.") for n in found.law.names)
    assert found.prior_choices == 0 and found.indices.tolist() == list(range(17))


def test_of_the_trainings_of_initial_trained_the_smaller_bound_is_kept(made, monkeypatch):
    """Each alone, from the same draws, against the bounds of theory."""
    laws, shares = [], []

    def spied(net, law, part, indices, how, generator):
        original(net, law, part, indices, how, generator)
        laws.append(law)
        shares.append(how.dice)

    original = training.certificate.train_posterior
    uppers = {5.0: (0.3, 0.2), 0.5: (0.3, 0.7)}
    for first, rates in uppers.items():
        laws.clear()
        shares.clear()
        monkeypatch.setattr(training.certificate, "train_posterior", spied)
        monkeypatch.setattr(training.certificate, "gibbs_losses", lambda *a, r=rates: torch.full((1, 17), r[len(laws) - 1]))
        found = initial_trained(made.run, made.data, made.half)
        nats = [float(law.divergence().detach()) for law in laws]
        bounds = [float(pac_bayes_kl(gibbs_upper(r, 17, 0.01), kl, 17, 0.04)) for r, kl in zip(rates, nats, strict=True)]
        assert found.law is laws[bounds.index(min(bounds))] and shares == list(DICE), first
    assert found.law is laws[0]


def test_wide_deviations_by_layer():
    """Last layers in units of what they give, the rest in proportion, a logit a cell by its bias alone."""
    for method in LEARNT:
        config = variant(method=method)
        start = weights_of(build(config, prepare(config)), "head")
        found, scale = wide_deviations(start, method), scales_of(start)
        assert list(found) == list(start) and all(found[n].shape == w.shape for n, w in start.items())
        boxes = is_rectangle(method)
        for name, value in found.items():
            layer, kind = name.rsplit(".", 1)
            if boxes and layer in LAST[method]:
                assert torch.equal(value, torch.full_like(value, LOGITS if "saliency" in layer else LENGTHS)), name
            elif layer in LAST[method] and kind == "bias":
                assert torch.equal(value, torch.full_like(value, LOGITS)), name
            else:
                assert torch.equal(value, (WIDE if boxes else WIDE_CELLS) * scale[name]), name


def test_the_empty_map_is_within_reach_of_positionwise_attention():
    """With narrow output biases training ended at the full map in one run of three: the bias must be able to leave."""
    config = variant(n=64, method="positionwise", steps=150)
    data = prepare(config)
    with one_thread():
        found = initial_trained(SimpleNamespace(config=config), data, None)
        center = losses_of(found.net, {n: w.detach() for n, w in found.law.center().items()}, data.train, found.indices)
    assert float(center.mean()) <= float((data.train.all_masks() == 1).double().mean()) + 0.02
    assert 0 < float(found.law.divergence().detach()) < 20


def test_initial_is_the_best_of_its_grid(made):
    found = initial(made.run, made.data, made.half)
    start, end = (weights_of(net) for net in (build(made.run.config, made.data, made.run.start), made.run.net))
    noise = flat(s * NOISE for s in scales_of(end).values()) ** 2
    scale = flat(scales_of(start).values())
    all_kl = [float(kl_gaussians(flat(end.values()), noise, flat(start.values()), (factor * scale) ** 2)) for factor in GRID]
    assert float(found.law.divergence().detach()) == pytest.approx(min(all_kl), rel=1e-5) == made.found["initial"]["kl"]
    assert same(dict(zip(found.law.names, found.law.means, strict=True)), start)
    assert found.prior_choices > 0 and found.indices.tolist() == list(range(17)) and found.net is made.run.net


def test_the_prior_of_initial_is_the_start_that_was_chosen(made):
    for start in (0, 1):
        other = SimpleNamespace(config=made.run.config, net=made.run.net, start=start)
        law = initial(other, made.data, made.half).law
        assert same(dict(zip(law.names, law.means, strict=True)), weights_of(build(made.run.config, made.data, start)))


def test_the_scale_factor_is_that_of_the_end(made):
    if made.run.config.method == "rectangle":
        assert made.half.attention.s == made.run.config.s
        assert initial_trained(made.run, made.data, made.half).net.attention.s == made.run.config.s
    assert not made.half.training


def test_twice_the_same_numbers(made):
    torch.manual_seed(4321)
    np.random.seed(1)  # noqa: NPY002
    assert without_clock(certificate(made.run, made.data)) == without_clock(made.found)


def test_it_is_an_analysis_of_rows():
    row = run_cell(TINY)
    lines = table(row)
    assert {line["predictor"] for line in lines} == set(PREDICTORS)
    assert all(line["upper"] >= line["start"] for line in lines)
    alone = {line["bound"] for line in lines if line["predictor"] == "split"}
    assert {"betting", "pac_bayes_kl", "disintegrated"} <= alone
    alike = dataclasses.replace(TINY, analyses=())
    data = prepare(alike)
    assert without_clock(certificate(fit(alike, data), data)) == without_clock(row["certificate"])


def test_the_networks_that_are_drawn_are_not_those_it_was_trained_with(made, monkeypatch):
    """The Monte-Carlo step needs draws that are independent of the posterior: a stream of their own."""
    seen = {}

    def spied(config, what):
        seen[what] = seen.get(what, 0) + 1
        return original(config, what)

    original = training.certificate._generator
    monkeypatch.setattr(training.certificate, "_generator", spied)
    certificate(made.run, made.data)
    assert seen == {1: 1, 2: 1, 3: 4}
    streams = [original(made.run.config, what).initial_seed() for what in (1, 2, 3)]
    streams += [original(dataclasses.replace(made.run.config, seed=9), 3).initial_seed(), made.run.config.seed]
    assert len(set(streams)) == 5


@pytest.mark.parametrize(("changes", "message"), [
    ({"method": "none"}, "no map"), ({"method": "simam"}, "none learnt"), ({"method": "centre"}, "none learnt"),
    ({"method": "oracle"}, "none learnt"), ({"n": 3}, "too few"), ({"pool": 40}, "a pool is split at random"),
])
def test_where_there_is_none(changes, message):
    config = variant(**{"method": "rectangle", "steps": 1, **changes})
    data = prepare(config)
    assert not possible(config, data), message
    assert certificate(SimpleNamespace(config=config, net=None, start=0), data) is None


def test_images_that_end_and_statistics_that_are_learnt_give_none(made):
    config = made.run.config
    assert possible(config, made.data)
    folder = SimpleNamespace(size=lambda split: 40)
    assert not possible(config, dataclasses.replace(made.data, source=folder))
    lite = variant(method="rectangle", data="digits", backbone="efficientnet-lite0")
    assert not possible(lite, made.data)
    assert possible(dataclasses.replace(lite, freeze=True, at="_blocks.10"), made.data)
