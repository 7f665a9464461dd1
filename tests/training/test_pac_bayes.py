"""Posteriors trained for their own bound: the objective is theory's, it falls, the prior stays."""

import copy
import math

import pytest
import torch
from sklearn.metrics import f1_score

import training.pac_bayes
from tests.training.tiny import generator, variant
from theory.bounds.pac_bayes_quadratic import pac_bayes_quadratic
from training.data import prepare
from training.evaluate import evaluate, plain
from training.fit import TrainingError, build
from training.pac_bayes import (
    PosteriorTraining,
    quadratic,
    soft_dice_loss,
    soft_missing_rate,
    train_posterior,
)
from training.posterior import GaussianWeights, Looker, maps, scales_of, weights_of

METHODS = ("rectangle", "positionwise")
SHORT = PosteriorTraining(steps=30, batch=8, lr=0.3)


class Watched:
    """A part that remembers which images were taken, and may change them."""

    def __init__(self, part, change=lambda images: images):
        self.part, self.change, self.taken = part, change, set()

    def take(self, which):
        self.taken |= set(which.tolist())
        samples = self.part.take(which)
        return type(samples)(self.change(samples.images), samples.labels, samples.masks, samples.image_masks)


def setting(method="positionwise", noise=1.0):
    config = variant(method=method)
    data = prepare(config)
    net = build(config, data).eval()
    weights = weights_of(net)
    return net, GaussianWeights(weights, {n: noise * s for n, s in scales_of(weights).items()}), data.train


def nats(law):
    return float(law.divergence().detach())


def objective(net, law, part, indices, delta=0.05, draws=12):
    """The minimised bound, its loss averaged over many draws."""
    chosen, g = indices.unique(), generator(77)
    samples = part.take(chosen)
    with torch.no_grad():
        loss = torch.stack([soft_missing_rate(maps(Looker(net, hard=False), law.draw(len(chosen), g), samples.images),
                                              samples.masks) for _ in range(draws)]).mean()
        c = (law.divergence() + math.log(2 * math.sqrt(len(indices)) / delta)) / (2 * len(indices))
        return float(quadratic(loss.double(), c))


@pytest.mark.parametrize(("loss", "kl", "n", "delta"), [(0.0, 0.0, 1000, 0.05), (0.1, 12.0, 900, 0.05), (0.02, 3.0, 64, 0.3)])
def test_the_objective_is_the_quadratic_bound(loss, kl, n, delta):
    c = torch.tensor((kl + math.log(2 * math.sqrt(n) / delta)) / (2 * n), dtype=torch.float64)
    found = float(quadratic(torch.tensor(loss, dtype=torch.float64), c))
    assert found == pytest.approx(float(pac_bayes_quadratic(loss, kl, n, delta)), rel=1e-12) and found > loss


def test_its_gradient():
    given = tuple(torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.2, 0.05))
    assert torch.autograd.gradcheck(quadratic, given)


def test_the_surrogate_is_the_missing_rate_of_the_soft_map():
    g = generator(1)
    f = torch.rand(4, 5, 5, generator=g, dtype=torch.float64)
    masks = torch.randint(-1, 2, (4, 5, 5), generator=g).to(torch.int8)
    apart = [(v - (m == 1).double()).abs()[m != 0].mean() for v, m in zip(f, masks, strict=True)]
    want = torch.stack(apart).mean()
    assert float(soft_missing_rate(f.log(), masks)) == pytest.approx(float(want), rel=1e-12)
    assert soft_missing_rate(torch.where(masks == 1, 0.0, -torch.inf), masks) == 0
    assert soft_missing_rate(torch.where(masks == 1, -torch.inf, 0.0), masks) == 1


def test_the_dice_loss_is_one_minus_the_f1_score():
    """Of hard masks scikit-learn's, over known positions; of soft maps image by image from its definition."""
    g = generator(2)
    masks = torch.randint(-1, 2, (6, 4, 4), generator=g).to(torch.int8)
    hard = torch.randint(0, 2, (6, 4, 4), generator=g).double()
    scores = [f1_score((m[m != 0] == 1).numpy(), f[m != 0].numpy() == 1, zero_division=1.0) for f, m in zip(hard, masks, strict=True)]
    assert float(soft_dice_loss(hard.log(), masks)) == pytest.approx(1 - sum(scores) / 6, rel=1e-12)
    f = torch.rand(6, 4, 4, generator=g, dtype=torch.float64)
    apart = [1 - 2 * v[m == 1].sum() / (v[m != 0].sum() + (m == 1).sum()) for v, m in zip(f, masks, strict=True)]
    assert float(soft_dice_loss(f.log(), masks)) == pytest.approx(float(torch.stack(apart).mean()), rel=1e-12)


def test_the_dice_loss_at_its_ends():
    truth = torch.tensor([[[1, -1], [-1, 0]]], dtype=torch.int8)
    none, all_of_it = torch.full((1, 2, 2), -torch.inf), torch.zeros(1, 2, 2)
    assert soft_dice_loss(none, truth) == 1 and soft_dice_loss(torch.where(truth == 1, 0.0, -torch.inf), truth) == 0
    assert float(soft_dice_loss(all_of_it, truth)) == pytest.approx(1 - 2 / 4)  # the fourth position is unknown
    assert soft_dice_loss(none, -truth.abs()) == 0 and soft_dice_loss(all_of_it, -truth.abs()) == 1


def test_small_objects_are_left_by_the_missing_rate_and_sought_by_the_dice_loss():
    """A map that knows little is better empty for the first and not for the second: signs of the gradients."""
    masks = torch.full((1, 8, 8), -1, dtype=torch.int8)
    masks[0, 2:4, 2:4] = 1
    logit = torch.tensor(-3.0, requires_grad=True)
    lean = 2.0 * (masks == 1)  # it leans to the object
    slopes = [torch.autograd.grad(loss(torch.nn.functional.logsigmoid(logit + lean), masks), logit)[0]
              for loss in (soft_missing_rate, soft_dice_loss)]
    assert slopes[0] > 0 > slopes[1]


def test_the_first_steps_take_the_dice_loss(monkeypatch):
    for share, want in ((0.0, "mmmmm"), (0.6, "dddmm"), (1.0, "ddddd")):
        seen = []
        for name, letter in (("soft_dice_loss", "d"), ("soft_missing_rate", "m")):
            monkeypatch.setattr(training.pac_bayes, name, lambda f, m, letter=letter, seen=seen: (seen.append(letter), f.exp().mean())[1])
        net, law, part = setting()
        train_posterior(net, law, part, torch.arange(4), PosteriorTraining(steps=5, batch=2, dice=share), generator())
        assert "".join(seen) == want


@pytest.mark.parametrize("method", METHODS)
def test_the_surrogate_is_that_of_the_rows(method):
    net, _, part = setting(method)
    row, _ = evaluate(plain(net), part, boxes=False)
    samples = part.take(torch.arange(part.n))
    with torch.no_grad():
        found = soft_missing_rate(net.look(net.features(samples.images)).log_f, samples.masks)
    assert float(found) == pytest.approx(row["missing_rate_soft"], rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_training_lowers_the_bound_and_touches_nothing_else(method):
    net, law, part = setting(method)
    before = copy.deepcopy(net.state_dict())
    prior = [t.clone() for t in (*law.means, *law.deviations)]
    indices = torch.arange(4, part.n).repeat(200)  # so many that the divergence is not all
    watched, first = Watched(part), objective(net, law, part, indices)
    train_posterior(net, law, watched, indices, SHORT, generator())
    assert objective(net, law, part, indices) < first - 0.05
    assert watched.taken == set(indices.tolist())  # all that the bound counts, and no other
    assert all(torch.equal(a, b) for a, b in zip(prior, (*law.means, *law.deviations), strict=True))
    assert all(torch.equal(v, net.state_dict()[n]) for n, v in before.items())
    assert all(p.grad is None for p in net.parameters())
    assert nats(law) > 0


def test_the_divergence_holds_it_back():
    """With the loss alone a posterior would go anywhere: a smaller sample pays more for the way."""
    found = []
    for copies in (1, 200):
        net, law, part = setting()
        train_posterior(net, law, part, torch.arange(8).repeat(copies), SHORT, generator())
        found.append(nats(law))
    assert 0 < 10 * found[0] < found[1]


def test_the_same_seed_gives_the_same_posterior():
    laws = []
    for seed in (1, 1, 2):
        net, law, part = setting()
        torch.manual_seed(len(laws))
        train_posterior(net, law, part, torch.arange(10), PosteriorTraining(steps=3, batch=4), generator(seed))
        laws.append(torch.cat([p.detach().flatten() for p in law.parameters()]))
    assert torch.equal(laws[0], laws[1]) and not torch.equal(laws[0], laws[2])


def test_steps_fall_to_zero_by_a_cosine(monkeypatch):
    rates = []

    class Spy(torch.optim.Adam):
        def step(self):
            rates.extend(group["lr"] for group in self.param_groups)
            super().step()

    monkeypatch.setattr(torch.optim, "Adam", Spy)
    net, law, part = setting()
    train_posterior(net, law, part, torch.arange(4), PosteriorTraining(steps=4, batch=2, lr=0.2), generator())
    assert rates == pytest.approx([0.2, 0.1 * (1 + 0.5**0.5), 0.1, 0.1 * (1 - 0.5**0.5)])


def test_what_is_minimised_pays_for_the_images_that_are_counted(monkeypatch):
    """The first step, where KL = 0: c is the confidence of n images, not of a batch."""
    seen = []

    def spied(loss, c):
        seen.append((float(loss.detach()), float(c.detach())))
        return quadratic(loss, c)

    monkeypatch.setattr(training.pac_bayes, "quadratic", spied)
    net, law, part = setting()
    how = PosteriorTraining(steps=2, batch=4, delta=0.1)
    train_posterior(net, law, part, torch.arange(15), how, generator())
    assert seen[0][1] == pytest.approx(math.log(2 * 15**0.5 / 0.1) / 30, rel=1e-12)
    assert seen[1][1] > seen[0][1] and 0 < seen[0][0] < 1


def test_what_is_not_finite_is_refused():
    net, law, part = setting()
    blind = Watched(part, lambda images: images * float("nan"))
    with pytest.raises(TrainingError, match="posterior: step 0: the bound is nan"):
        train_posterior(net, law, blind, torch.arange(4), PosteriorTraining(steps=2, batch=2), generator())
    net, law, part = setting()
    with pytest.raises(TrainingError, match="posterior: step 1: the divergence is (inf|nan)"):
        train_posterior(net, law, part, torch.arange(4), PosteriorTraining(steps=1, batch=2, lr=1e5), generator())


@pytest.mark.parametrize(("changes", "message"), [
    ({"steps": 0}, "steps must be positive, got 0"), ({"batch": -1}, "batch must be positive, got -1"),
    ({"lr": float("nan")}, "lr must be positive, got nan"), ({"dice": 1.1}, r"dice is a share in \[0, 1\], got 1.1"),
    ({"dice": float("nan")}, r"dice is a share in \[0, 1\], got nan"), ({"delta": 1.2}, r"delta must be in \(0, 1\), got 1.2"),
])
def test_bad_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        PosteriorTraining(**changes)
