"""Metrics against scikit-learn, SciPy and brute force."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import hamming_loss, jaccard_score

from training.metrics import centre_agreement, centre_prior, rates, trivial_predictors


def masks(n, seed, p=0.3, side=6):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, side, side)) < p, 1, -1).astype(np.int8)


def test_rates_against_scikit_learn():
    a, b = masks(40, 0), masks(40, 1)
    pairs = [(x.ravel() == 1, y.ravel() == 1) for x, y in zip(a, b, strict=True)]
    missing = [hamming_loss(y, x) for x, y in pairs]
    found = rates(a, b)
    assert found["missing_rate"] == pytest.approx(np.mean(missing))
    assert found["missing_rate_sd"] == pytest.approx(np.std(missing, ddof=1))
    assert found["missing_rate_se"] == pytest.approx(np.std(missing, ddof=1) / 40**0.5)
    assert found["iou"] == pytest.approx(np.mean([jaccard_score(y, x) for x, y in pairs]))


def test_empty_predictions_earn_no_iou():
    empty = -np.ones((1, 4, 4), dtype=np.int8)
    assert rates(empty, empty)["iou"] == 0 and rates(empty, empty)["missing_rate"] == 0


def test_trivial_predictors():
    truth = masks(30, 2)
    area = (truth == 1).mean()
    found = trivial_predictors(truth, truth)
    assert found["all_background"] == {"missing_rate": pytest.approx(area), "iou": 0.0}
    assert found["all_foreground"] == {"missing_rate": pytest.approx(1 - area),
                                       "iou": pytest.approx(area)}


def test_centre_prior_is_the_best_of_its_kind():
    rng = np.random.default_rng(3)
    truth = -np.ones((60, 7, 7), dtype=np.int8)
    for mask in truth:
        i, j = rng.integers(0, 5, size=2)
        mask[i : i + 3, j : j + 3] = 1
    prior = centre_prior(truth)
    frequency = (truth == 1).mean(0)
    best = max(rates(np.broadcast_to(np.where(frequency >= t, 1, -1), truth.shape), truth)["iou"]
               for t in np.unique(frequency))
    assert rates(np.broadcast_to(prior, truth.shape), truth)["iou"] >= best - 1e-12
    assert frequency[prior == 1].min() >= frequency[prior == -1].max()


def test_centre_agreement_against_scipy():
    rng = np.random.default_rng(4)
    true = rng.random((100, 2))
    predicted = 0.5 * true + 0.1 * rng.random((100, 2))
    found = centre_agreement(predicted, true)
    for k in range(2):
        assert found["centre_spearman"][k] == pytest.approx(
            spearmanr(predicted[:, k], true[:, k]).statistic)
        assert found["centre_slope"][k] == pytest.approx(
            np.polyfit(true[:, k], predicted[:, k], 1)[0])


def test_constant_centres_have_no_correlation():
    found = centre_agreement(np.full((5, 2), 0.5), np.random.default_rng(0).random((5, 2)))
    assert found == {"centre_spearman": [None, None], "centre_slope": [None, None]}
