"""Missing rates of drawn networks: one a pair of image and round, the same loss as the rows'."""

import numpy as np
import pytest
import torch

import training.gibbs
from tests.training.tiny import generator, variant
from theory.bounds.pac_bayes import gibbs_upper
from training.data import prepare
from training.evaluate import evaluate, plain
from training.fit import build
from training.gibbs import gibbs_losses, losses_of
from training.posterior import GaussianWeights, scales_of, weights_of

METHODS = ("rectangle", "positionwise")


def setting(method="positionwise", noise=1.0, **changes):
    """A network that is not trained, a law about it, and its images."""
    config = variant(method=method, **changes)
    data = prepare(config)
    net = build(config, data).eval()
    weights = weights_of(net)
    return net, GaussianWeights(weights, {n: noise * s for n, s in scales_of(weights).items()}), data


@pytest.mark.parametrize("method", METHODS)
def test_without_noise_they_are_the_losses_of_the_centre(method):
    net, law, data = setting(method, noise=1e-12)
    indices = torch.arange(data.train.n)
    found = gibbs_losses(net, law, data.train, indices, 2, generator())
    alone = losses_of(net, law.center(), data.train, indices)
    assert found.shape == (2, data.train.n) and found.dtype == torch.float64
    torch.testing.assert_close(found, alone.expand(2, -1), rtol=0, atol=1.5 / 64)  # a cell on the edge
    assert (found == alone).double().mean() > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_is_that_of_the_rows(method):
    net, _, data = setting(method)
    for part in (data.train, data.test):
        row, _ = evaluate(plain(net), part, boxes=False)
        found = losses_of(net, weights_of(net), part, torch.arange(part.n))
        assert float(found.mean()) == pytest.approx(row["missing_rate"], rel=1e-12)
        counts = {int(k): v for k, v in row["wrong_counts"].items()}
        wrong, often = np.unique(np.round(found.numpy() * 64).astype(int), return_counts=True)
        assert dict(zip(wrong.tolist(), often.tolist(), strict=True)) == counts


def test_tail_and_network_given_do_not_matter():
    net, law, data = setting()
    other = build(variant(method="positionwise", seed=5), data).eval()
    indices = torch.tensor([3, 0, 7])
    first, second = (gibbs_losses(n, law, data.train, indices, 2, generator()) for n in (net, other))
    assert torch.equal(first, second)


@pytest.mark.parametrize("abreast", [3, 128])
def test_every_pair_has_a_network_of_its_own(abreast, monkeypatch):
    """Replayed by hand: the losses of pairs are those of the networks drawn for them."""
    monkeypatch.setattr(training.gibbs, "CHUNK", abreast)
    net, law, data = setting()
    indices = torch.tensor([5, 2, 11, 4])
    found = gibbs_losses(net, law, data.train, indices, 3, generator(8))
    g, seen = generator(8), set()
    for place in torch.arange(4).split(abreast):
        for k in range(3):
            drawn = law.draw(len(place), g)
            for i, at in enumerate(place.tolist()):
                one = {n: w[i] for n, w in drawn.items()}
                seen.add(float(next(iter(one.values())).sum().detach()))
                alone = losses_of(net, one, data.train, indices[at : at + 1])
                assert float(found[k, at]) == pytest.approx(float(alone), abs=1.5 / 64)
    assert len(seen) == 12 and len(found.unique()) > 3


def test_their_mean_is_the_gibbs_loss():
    """Against 80 networks, each on all images: two estimates of one number."""
    net, law, data = setting()
    indices = torch.arange(8)
    pairs = gibbs_losses(net, law, data.train, indices, 40, generator(1))
    drawn = law.draw(80, generator(2))
    whole = torch.stack([losses_of(net, {n: w[k].detach() for n, w in drawn.items()}, data.train, indices)
                         for k in range(80)]).mean(1)
    error = float((pairs.var() / pairs.numel() + whole.var() / len(whole)) ** 0.5)
    assert abs(float(pairs.mean() - whole.mean())) < 5 * error < 0.15  # false alarms: 6e-7
    assert float(pairs.var(0).max()) > 0


def test_the_same_seed_gives_the_same_losses():
    net, law, data = setting()
    indices = torch.arange(6)
    first = gibbs_losses(net, law, data.train, indices, 2, generator(3))
    torch.manual_seed(12345)
    assert torch.equal(first, gibbs_losses(net, law, data.train, indices, 2, generator(3)))
    assert not torch.equal(first, gibbs_losses(net, law, data.train, indices, 2, generator(4)))


def test_large_networks_are_drawn_by_fewer():
    _, law, _ = setting()
    big = GaussianWeights({"w": torch.zeros(training.gibbs.NUMBERS // 5)}, {"w": torch.ones(training.gibbs.NUMBERS // 5)})
    assert training.gibbs._abreast(law) == training.gibbs.CHUNK and training.gibbs._abreast(big) == 5


def misses(means, rounds, delta):
    """Exact probability that the upper end of the mean of all pairs is below the mean of ``means``."""
    counts = np.ones(1)
    for p in np.repeat(means, rounds):
        counts = np.convolve(counts, [1 - p, p])
    upper = gibbs_upper(np.arange(len(counts)) / (len(counts) - 1), len(counts) - 1, delta)
    return counts[upper < np.mean(means)].sum()


@pytest.mark.parametrize("means", [[0.0, 0.0, 1.0], [0.02, 0.5, 0.9, 0.9], [0.1] * 5, [1.0, 1.0, 0.01]])
@pytest.mark.parametrize("rounds", [1, 4, 20])
def test_several_rounds_on_the_same_images_are_as_many_draws(means, rounds):
    """Of losses 0 and 1 with means p_i, exactly: images that differ only help."""
    for delta in (0.3, 0.05):
        miss = misses(means, rounds, delta)
        assert miss <= delta
        assert miss <= misses([np.mean(means)] * len(means), rounds, delta) + 1e-12
    assert misses([0.3] * 4, 20, 0.9) > 0.05  # a level that is not kept is seen


@pytest.mark.parametrize(("rounds", "count"), [(0, 3), (2, 0)])
def test_bad_input(rounds, count):
    net, law, data = setting()
    with pytest.raises(ValueError, match=f"got {rounds} rounds and {count} images"):
        gibbs_losses(net, law, data.train, torch.arange(count), rounds, generator())
