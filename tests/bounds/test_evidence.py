"""From rows to ingredients: which predictor has what, which numbers belong to which sample."""

import copy
import json

import numpy as np
import pytest

from tests.bounds.rows import POSTERIORS, REAL, row_of
from theory.bounds import INGREDIENTS
from theory.bounds.evidence import (
    PREDICTORS,
    RHO,
    Lacking,
    evidence,
    losses_of_counts,
    one_rectangle,
)
from theory.bounds.occam import log_size_of_heads


def changed(path, value, **more):
    """The row with one field changed: ``path`` is a.b.c."""
    row = copy.deepcopy(row_of(**more))
    *outer, last = path.split(".")
    inner = row
    for name in outer:
        inner = inner[name]
    inner[last] = value
    return row


def without(path):
    row = changed(path, None)
    *outer, last = path.split(".")
    inner = row
    for name in outer:
        inner = inner[name]
    del inner[last]
    return row


def by_name(row):
    return {found.predictor: found for found in evidence(row)}


def test_the_trained_network():
    row = row_of()
    found = by_name(row)["trained"]
    assert found.given["empirical"] == row["train"]["missing_rate"] and found.given["n_samples"] == 40
    assert found.given["rho"] == RHO == -1 and found.given["mean_g"] == row["mean_g"]
    assert found.given["log_size"] == log_size_of_heads(500, 32)
    assert found.test == found.test_drawn == row["test"]["missing_rate"] == found.given["losses"].mean()


def test_the_posteriors():
    row = row_of()
    found = by_name(row)
    assert set(found) == set(PREDICTORS)
    for name in POSTERIORS:
        own = row["certificate"][name]
        given = dict(found[name].given)
        losses = given.pop("losses")
        assert given == {k: own[k] for k in ("gibbs", "draws", "drawn", "log_ratio", "n_samples", "kl", "prior_choices")}
        assert (found[name].test, found[name].test_drawn) == (own["test_gibbs"], own["test_drawn"])
        assert (losses is None) == (name != "split")
    assert found["split"].given["losses"].mean() == pytest.approx(row["certificate"]["split"]["drawn"], abs=1e-15)


def test_all_ingredients_are_known_ones():
    for found in evidence(row_of()):
        assert set(found.given) <= set(INGREDIENTS)


def test_held_out_losses_are_given_for_what_did_not_see_them_alone():
    """A posterior that was trained on the counted images has none, though its row holds counts."""
    row = row_of()
    assert row["certificate"]["split-trained"]["drawn_counts"]
    assert [n for n, f in by_name(row).items() if f.given.get("losses") is not None] == [
        "trained", "one-position", "split"]


@pytest.mark.parametrize(("method", "config", "single"), [
    ("rectangle", {}, True), ("rectangle-paper", {"shape": "rectangle", "count": 1}, True), ("rectangle", {"shape": "ellipse"}, False),
    ("rectangle", {"count": 2}, False), ("positionwise", {}, False), ("cbam", {}, False), ("centre", {}, False),
])
def test_only_single_rectangles_have_the_family_of_rectangles(method, config, single):
    row = changed("method", method)
    row["config"] = {**row["config"], **config}
    assert one_rectangle(row) == single
    assert next(evidence(row)).given["mean_g"] == (row["mean_g"] if single else 1.0)


def test_rows_without_a_configuration_are_of_rectangles():
    row = without("config")
    assert one_rectangle(row) and next(evidence(row)).given["log_size"] == log_size_of_heads(500, 32)


@pytest.mark.parametrize(("config", "given"), [({}, True), ({"backbone": "small"}, True), ({"backbone": "efficientnet-lite0", "freeze": True}, True),
                                               ({"backbone": "efficientnet-lite0", "freeze": False}, False), ({"backbone": "mobilenetv3-large"}, False)])
def test_running_statistics_make_no_finite_class(config, given):
    found = next(evidence(changed("config", config)))
    assert (found.given["log_size"] is not None) == given


def test_the_sample_is_that_of_the_images_with_a_mask():
    row = changed("train.images", 31)
    assert next(evidence(row)).given["n_samples"] == 31 < row["n"]
    assert next(evidence(without("train.images"))).given["n_samples"] == row["n"]


def test_losses_of_counts():
    row = {"grid": [2, 5], "key": "k"}
    losses = losses_of_counts({"0": 3, "7": 2, "10": 1}, row)
    assert sorted(losses.tolist()) == [0, 0, 0, 0.7, 0.7, 1] and losses.dtype == np.float64
    assert losses_of_counts(None, row) is None and losses_of_counts({}, row) is None
    with pytest.raises(Lacking, match="row 'k' lacks 'grid'"):
        losses_of_counts({"0": 1}, {"key": "k"})


def test_their_order_is_random_and_the_rows_own():
    counts = {str(k): 4 for k in range(9)}
    first, same, other = (losses_of_counts(counts, {"grid": [3, 3], "key": k}) for k in ("a", "a", "b"))
    turned = losses_of_counts(dict(reversed(counts.items())), {"grid": [3, 3], "key": "a"})
    assert first.tolist() == same.tolist() == turned.tolist() != other.tolist()
    assert sorted(first) == sorted(other) and first.tolist() != sorted(first)
    np.random.seed(3)  # noqa: NPY002
    assert losses_of_counts(counts, {"grid": [3, 3], "key": "a"}).tolist() == first.tolist()


def test_orders_are_uniform_over_rows():
    """One bad image of 5 takes every place as often: each count is binomial."""
    from scipy.stats import binom

    places = [int(losses_of_counts({"0": 4, "4": 1}, {"grid": [2, 2], "key": f"row{k}"}).argmax()) for k in range(400)]
    low, high = binom.ppf([1e-7, 1 - 1e-7], 400, 0.2)  # false alarms: 5 x 2e-7
    assert all(low <= places.count(k) <= high for k in range(5))


@pytest.mark.parametrize(("path", "value"), [("test.images", 50), ("test.missing_rate", 0.2), ("test.wrong_counts", None), ("test.missing_rate", None),
                                             ("test.wrong_counts", {"3": 10})])
def test_counts_that_are_not_the_losses_give_none(path, value):
    """With ignored positions the wrong ones are fewer than the missing rate says, or images are left out."""
    found = by_name(changed(path, value))
    assert found["trained"].given["losses"] is None and found["split"].given["losses"] is not None


def test_one_position_of_each_image():
    """0 or 1 with the image's missing rate as its mean: the counts over rows are binomial; certain losses stay."""
    from scipy.stats import binom

    rows = [changed("key", f"row{k}") for k in range(50)]
    drawn = [by_name(row)["one-position"].given["losses"] for row in rows]
    whole = [by_name(row)["trained"].given["losses"] for row in rows]
    low, high = binom.ppf([1e-7, 1 - 1e-7], 50 * 10, [[0.125], [0.25]]).T
    for k, rate in enumerate((0.125, 0.25)):
        assert low[k] <= sum(int(d[w == rate].sum()) for d, w in zip(drawn, whole, strict=True)) <= high[k]
    assert not any(d[w == 0].any() for d, w in zip(drawn, whole, strict=True)) and len({tuple(d) for d in drawn}) > 40
    assert by_name(rows[0])["one-position"].given["losses"].tolist() == drawn[0].tolist()
    certain = by_name(changed("test", {"missing_rate": 1.0, "images": 3, "wrong_counts": {"16": 3}}))
    assert certain["one-position"].given["losses"].tolist() == [1, 1, 1]


def test_the_last_layer():
    """Norms are rounded up to the grid and pay for it; the number of bits is that of the smallest bound, all are paid."""
    found = by_name(row_of())
    for who, size, loss, constant in [("last-layer", 2.0, 0.15, 2.0), ("last-layer-ramp", 2.0, 0.2, 5.0),
                                      ("near-layer", 0.25, 0.15, 2.0), ("near-layer-ramp", 0.25, 0.2, 5.0)]:
        given = found[who].given
        nats = 2 * np.log1p(abs(np.log2(size))) + np.log(np.pi**2 / 3 - 1)
        assert given == {"empirical": loss, "n_samples": 20, "weight_norm": size, "norm_choices": pytest.approx(nats),
                         "feature_norm": 0.5, "lipschitz": constant, "outputs": 5}
    few = found["few-bits"]
    assert few.given == {"empirical": 0.1, "n_samples": 20, "log_size": pytest.approx(6 * 4 * np.log(2) + np.log(3) + 1.7)}
    assert few.test == 0.12


def test_the_last_layer_of_cells_has_a_slope():
    given = by_name(row_of("positionwise"))["near-layer"].given
    assert given["slope"] == 2.0 and not {"lipschitz", "outputs"} & set(given)


def test_the_empty_map():
    """It misses what is in the objects: 30 x 2 + 10 x 6 of 40 x 16 positions; one predictor, no price."""
    found = by_name(row_of())["empty"]
    assert found.given == {"empirical": 120 / 640, "n_samples": 40, "log_size": 0.0} and found.test == 0.19
    assert "empty" not in by_name(without("train_areas"))


def test_a_layer_without_norms_has_bits_alone():
    found = by_name(changed("certificate.last-layer.norms", None))
    assert "few-bits" in found and not [n for n in found if "layer" in n]
    assert "few-bits" not in by_name(changed("certificate.last-layer.bits", []))


def test_a_layer_that_did_not_move_has_the_least_norm():
    assert by_name(changed("certificate.last-layer.norms.distance", 0.0))["near-layer"].given["weight_norm"] == 2.0**-20


@pytest.mark.parametrize("path", ["last-layer.n_samples", "last-layer.weights", "last-layer.bits", "last-layer.norms.feature_norm",
                                  "last-layer.norms.distance", "last-layer.norms.lipschitz_ramp", "constant.log_size"])
def test_a_class_without_a_field_names_it(path):
    with pytest.raises(Lacking, match=rf"row 'cell' lacks '{path.split('.')[-1]}'"):
        list(evidence(without(f"certificate.{path}")))


def test_counts_of_the_drawn_network_that_are_not_its_losses_give_none():
    found = by_name(changed("certificate.split.drawn", 0.5))
    assert found["split"].given["losses"] is None and found["trained"].given["losses"] is not None


@pytest.mark.parametrize("path", ["train", "test", "n", "parameters", "method", "grid"])
def test_a_row_without_a_field_names_it(path):
    with pytest.raises(Lacking, match=rf"row 'cell' lacks '{path}'"):
        list(evidence(without(path)))


@pytest.mark.parametrize("name", ["gibbs", "draws", "drawn", "log_ratio", "n_samples", "kl", "prior_choices"])
def test_a_posterior_without_a_field_names_it(name):
    with pytest.raises(Lacking, match=rf"row 'cell' lacks '{name}'"):
        list(evidence(without(f"certificate.initial.{name}")))


def test_rows_without_a_map():
    with pytest.raises(Lacking, match=r"row 'cell': no training missing rate \(method 'none' has no map"):
        list(evidence(changed("train.missing_rate", None, method="none")))
    assert issubclass(Lacking, ValueError)


@pytest.mark.parametrize("value", [None, {}])
def test_rows_without_posteriors(value):
    assert list(by_name(changed("certificate", value))) == ["trained", "one-position", "empty"]
    assert list(by_name(without("certificate"))) == ["trained", "one-position", "empty"]


def test_real_rows_give_the_losses_they_were_tested_with():
    rows = [json.loads(line) for line in REAL.read_text().splitlines()]
    tried = 0
    for row in rows:
        if row["train"]["missing_rate"] is None:
            continue
        found, one, empty = evidence(row)
        assert empty.predictor == "empty" and abs(empty.given["empirical"] - empty.test) < 0.01
        assert one.predictor == "one-position" and set(one.given["losses"]) <= {0.0, 1.0}
        assert found.given["losses"] is not None and len(found.given["losses"]) == row["n_test"]
        assert found.given["losses"].mean() == pytest.approx(row["test"]["missing_rate"], abs=1e-12)
        assert found.given["n_samples"] == row["n"]
        tried += 1
    assert tried > 50
