"""Rates, trivial predictors and centres against scikit-learn, SciPy and brute force."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import hamming_loss, jaccard_score

from training import metrics
from training.metrics import centre_agreement, centre_prior, rates, trivial_predictors


def masks(n, seed, p=0.3, side=6, unknown=0.0):
    rng = np.random.default_rng(seed)
    out = np.where(rng.random((n, side, side)) < p, 1, -1)
    out[rng.random(out.shape) < unknown] = 0
    return torch.from_numpy(out.astype(np.int8))


@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_rates_against_scikit_learn(unknown):
    a, b = masks(40, 0), masks(40, 1, unknown=unknown)
    pairs = [(x[y != 0] == 1, y[y != 0] == 1) for x, y in zip(a, b, strict=True)]
    missing = [hamming_loss(y, x) for x, y in pairs]
    found = rates(a, b)
    assert found["missing_rate"] == pytest.approx(np.mean(missing))
    assert found["missing_rate_sd"] == pytest.approx(np.std(missing, ddof=1))
    assert found["missing_rate_se"] == pytest.approx(np.std(missing, ddof=1) / 40**0.5)
    assert found["iou"] == pytest.approx(np.mean([jaccard_score(y, x) for x, y in pairs]))


def test_numpy_masks_are_taken_too():
    a, b = masks(5, 0), masks(5, 1)
    assert rates(a.numpy(), b.numpy()) == rates(a, b)


def test_empty_predictions_earn_no_iou():
    empty = -torch.ones(1, 4, 4, dtype=torch.int8)
    assert rates(empty, empty)["iou"] == 0 and rates(empty, empty)["missing_rate"] == 0


def test_images_without_known_positions_are_left_out():
    a, b = masks(6, 2), masks(6, 3)
    b[2] = 0
    keep = torch.tensor([0, 1, 3, 4, 5])
    assert rates(a, b) == rates(a[keep], b[keep])
    assert torch.equal(centre_prior(b), centre_prior(b[keep]))
    for function in (lambda x: rates(x, x), centre_prior):
        with pytest.raises(ValueError, match="known position, got none in 6"):
            function(torch.zeros_like(a))


def test_trivial_predictors():
    truth = masks(30, 2)
    area = (truth == 1).double().mean().item()
    found = trivial_predictors(truth, truth)
    assert found["all_background"] == {"missing_rate": pytest.approx(area), "iou": 0.0}
    assert found["all_foreground"] == {"missing_rate": pytest.approx(1 - area),
                                       "iou": pytest.approx(area)}


def test_the_centre_prior_is_fitted_on_the_training_masks():
    train, test = (-torch.ones(3, 5, 5, dtype=torch.int8) for _ in range(2))
    train[:, 1:3, 1:3] = 1
    test[:, 2:4, 1:3] = 1
    found = trivial_predictors(train, test)["centre_prior"]
    assert found == {"missing_rate": pytest.approx(4 / 25), "iou": pytest.approx(1 / 3)}


@pytest.mark.parametrize("unknown", [0.0, 0.3])
@pytest.mark.parametrize("cells", [1, 1 << 24])
def test_centre_prior_is_the_best_of_its_kind(unknown, cells, monkeypatch):
    monkeypatch.setattr(metrics, "CELLS", cells)
    rng = np.random.default_rng(3)
    truth = -torch.ones(60, 7, 7, dtype=torch.int8)
    for mask in truth:
        i, j = rng.integers(0, 5, size=2)
        mask[i : i + 3, j : j + 3] = 1
    truth[torch.from_numpy(rng.random(truth.shape) < unknown)] = 0
    prior = centre_prior(truth)
    frequency = (truth == 1).sum(0) / (truth != 0).sum(0)
    best = max(rates(torch.where(frequency >= t, 1, -1).to(torch.int8).expand_as(truth), truth)["iou"]
               for t in frequency.unique())
    assert rates(prior.expand_as(truth), truth)["iou"] >= best - 1e-12
    assert frequency[prior == 1].min() >= frequency[prior == -1].max()


def test_centre_agreement_against_scipy():
    rng = np.random.default_rng(4)
    true = rng.random((100, 2))
    predicted = 0.5 * true + 0.1 * rng.random((100, 2))
    found = centre_agreement(torch.from_numpy(predicted), torch.from_numpy(true))
    for k in range(2):
        assert found["centre_spearman"][k] == pytest.approx(
            spearmanr(predicted[:, k], true[:, k]).statistic)
        assert found["centre_slope"][k] == pytest.approx(
            np.polyfit(true[:, k], predicted[:, k], 1)[0])


def test_constant_centres_have_no_correlation():
    moving, still = torch.rand(5, 2, generator=torch.Generator().manual_seed(0)), torch.full((5, 2), 0.5)
    for pair in ((moving, still), (still, moving)):
        assert centre_agreement(*pair) == {"centre_spearman": [None, None],
                                           "centre_slope": [None, None]}
