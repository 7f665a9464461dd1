"""MaxBoxAcc against a flood fill in plain Python, and cases by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import metrics_components
from training.metrics_boxes import box_iou, tight_boxes
from training.metrics_components import component_ious, threshold_ious
from training.metrics_counts import BOX_IOUS, LocalizationCounts
from training.metrics_maps import threshold_grid

GRID = threshold_grid(8)


def components(mask):
    """The 8-connected components of one boolean mask, as boolean masks, in reading order."""
    left = {(int(i), int(j)) for i, j in zip(*np.nonzero(mask), strict=True)}
    out = []
    for start in sorted(left):
        if start not in left:
            continue
        part, edge = np.zeros_like(mask), [start]
        left.discard(start)
        while edge:
            i, j = edge.pop()
            part[i, j] = True
            for near in [(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]:
                if near in left:
                    left.discard(near)
                    edge.append(near)
        out.append(part)
    return out


def plain(mask, box):
    """IoU with the box of the largest component, and with the best one."""
    found = components(mask)
    if not found:
        return 0.0, 0.0
    ious = [box_iou(tight_boxes(torch.from_numpy(c[None]))[0], box).item() for c in found]
    sizes = [c.sum() for c in found]
    return ious[sizes.index(max(sizes))], max(ious)


def masks(n, seed, p, side=(6, 7)):
    return torch.from_numpy(np.random.default_rng(seed).random((n, *side)) < p)


@pytest.mark.parametrize("p", [0.05, 0.25, 0.5])
def test_components_against_flood_fill(p):
    predicted = masks(40, 1, p)
    predicted[3] = False
    boxes = tight_boxes(masks(40, 2, 0.1))
    expected = [plain(m.numpy(), b) for m, b in zip(predicted, boxes, strict=True)]
    found = component_ious(predicted, boxes)
    assert torch.stack(found, 1).tolist() == [list(e) for e in expected]
    assert expected[3] == (0.0, 0.0) and (p == 0.5 or any(a < b for a, b in expected))


def test_diagonal_neighbours_are_connected_and_images_are_not():
    one = torch.eye(3, dtype=torch.bool)
    whole = torch.tensor([[0, 0, 3, 3]] * 2)
    largest, best = component_ious(torch.stack([one, one]), whole)
    assert largest.tolist() == best.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("cells", [1, 1 << 20])
def test_thresholds_against_one_at_a_time(cells, monkeypatch):
    monkeypatch.setattr(metrics_components, "CELLS", cells)
    g = torch.Generator().manual_seed(0)
    f = (torch.rand(12, 5, 6, generator=g) * 10).round() / 10
    inside, known = masks(12, 3, 0.2, (5, 6)), masks(12, 4, 0.8, (5, 6))
    inside &= known
    inside[2] = False
    f[4] = 0.0
    found = threshold_ious(f, known, inside, GRID)
    for i in range(12):
        box = tight_boxes(inside[i : i + 1])[0]
        for k, t in enumerate(GRID):
            expected = plain(((f[i].double() >= t) & known[i]).numpy(), box)
            assert found[:, i, k].tolist() == list(expected)
    assert (found[:, 2] == 0).all()  # nothing to hit


def accuracies(inside, f):
    counts = LocalizationCounts(box_steps=8)
    counts.update(torch.where(inside, 1, -1).to(torch.int8), f)
    found = counts.result()
    return found["max_box_acc_v2"], found["max_box_acc_largest"]


def test_accuracies_are_the_mean_over_levels_of_the_best_threshold():
    inside = torch.zeros(15, 6, 7, dtype=torch.bool)
    inside[:, 1:5, 2:6] = True
    f = inside * 0.2 + 0.8 * torch.rand(15, 6, 7, generator=torch.Generator().manual_seed(0))
    ious = [[plain((m.double() >= t).numpy(), b) for t in GRID[1:]]
            for m, b in zip(f, tight_boxes(inside), strict=True)]
    hit = np.array(ious)[..., None] >= np.array(BOX_IOUS)  # image, threshold, kind, level
    largest, best = hit.mean(0).max(0).mean(1)
    assert largest > hit.mean(0).mean(2).max(0)[0]  # no threshold is the best at every level
    assert accuracies(inside, f) == pytest.approx((best, largest))
    assert 0 < largest <= best < 1


def test_the_best_of_several_components_may_be_small():
    inside = torch.zeros(1, 8, 8, dtype=torch.bool)
    inside[0, 1:3, 1:3] = True
    f = inside.double()
    f[0, 5:8, 4:8] = 1.0  # a larger blob elsewhere
    assert accuracies(inside, f) == (1.0, 0.0)


def test_the_level_itself_is_a_hit():
    inside = torch.zeros(1, 10, 12, dtype=torch.bool)
    inside[0, 0, :10] = True
    for cells, hits in ((7, 3), (5, 2), (3, 1), (2, 0)):
        f = torch.zeros(1, 10, 12)
        f[0, 0, :cells] = 1.0
        assert accuracies(inside, f) == (hits / 3, hits / 3)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 3), st.integers(0, 3))
def test_a_perfect_box_scores_one_at_every_size(height, width, top, left):
    inside = torch.zeros(1, 9, 9, dtype=torch.bool)
    inside[0, top : top + height, left : left + width] = True
    assert accuracies(inside, inside.double()) == (1.0, 1.0)
