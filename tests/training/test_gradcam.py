"""Grad-CAM against its closed form, and that it leaves nothing behind."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from training.gradcam import grad_cam, per_image_scale, to_unit

N, CLASSES = 4, 5


class Plain(nn.Module):
    """Trunk, then either the mean and a linear layer (``deep=False``), or more."""

    def __init__(self, deep=False):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 6, 5, stride=4), nn.BatchNorm2d(6), nn.Conv2d(6, 7, 3))
        self.tail = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(7, 7, 3), nn.ReLU(inplace=True)) \
            if deep else nn.Identity()
        self.drop = nn.Dropout(0.5)
        self.classify = nn.Linear(7, CLASSES)

    def forward(self, images):
        return self.classify(self.drop(self.tail(self.trunk(images)).mean(dim=(2, 3))))


def make(deep=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Plain(deep).eval()


@pytest.fixture
def images():
    return torch.randn(N, 3, 44, 36, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def classes():
    return torch.tensor([0, 4, 2, 2])


def test_mean_and_linear_give_the_class_activation_map(images, classes):
    net = make()
    x = net.trunk(images)
    weights = net.classify.weight[classes]
    cam = torch.einsum("nk,nkij->nij", weights, x) / (x.shape[2] * x.shape[3])
    raw = grad_cam(net, images, classes, at="trunk")
    assert raw.shape == (N, 8, 6) and (cam < 0).any() and (cam > 0).any()
    torch.testing.assert_close(raw, cam.clamp(min=0).detach(), rtol=1e-4, atol=1e-6)


def test_alpha_is_the_slope_along_a_constant(images, classes):
    """mean_ij dz/dA_k = (z(A + t e_k) - z(A - t e_k)) / (2 t HW), by differences in float64."""
    net, images = make(deep=True).double(), images.double()
    raw = grad_cam(net, images, classes, at="trunk")
    with torch.no_grad():
        x, t = net.trunk(images), 1e-6

        def z(x):
            return net.classify(net.tail(x.clone()).mean(dim=(2, 3)))[torch.arange(N), classes]

        step = torch.eye(7, dtype=torch.float64)[:, None, :, None, None] * t
        alpha = torch.stack([(z(x + e) - z(x - e)) / (2 * t) for e in step], dim=1)
        expected = (alpha[..., None, None] * x).sum(1).relu() / (x.shape[2] * x.shape[3])
    torch.testing.assert_close(raw.double(), expected, rtol=1e-4, atol=1e-7)
    assert raw.dtype == torch.float32 and raw.max() > 0


def test_every_image_by_itself(images, classes):
    net = make(deep=True).train()
    together = grad_cam(net, images, classes, at="trunk.1")
    alone = [grad_cam(net, images[i:i + 1], classes[i:i + 1], at="trunk.1")[0] for i in range(N)]
    torch.testing.assert_close(together, torch.stack(alone), rtol=1e-4, atol=1e-7)
    other = grad_cam(net, images, (classes + 1) % CLASSES, at="trunk.1")
    assert not torch.allclose(other, together, atol=1e-4)


def test_nothing_is_left_on_the_model(images, classes):
    net = make(deep=True).train()
    net.trunk[1].eval()
    net.classify.weight.grad = torch.ones_like(net.classify.weight)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    modes, random = [m.training for m in net.modules()], torch.get_rng_state()
    grad_cam(net, images, classes, at="trunk")
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert torch.equal(net.classify.weight.grad, torch.ones_like(net.classify.weight))
    assert net.trunk[0].weight.grad is None and not images.requires_grad
    assert all(not m._forward_hooks and not m._backward_hooks for m in net.modules())


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("within", [torch.no_grad, torch.inference_mode])
def test_frozen_and_without_gradients(images, classes, within, frozen):
    net = make(deep=True)
    expected = grad_cam(net, images, classes, at="trunk.2")
    net.requires_grad_(not frozen)
    with within():
        assert torch.equal(grad_cam(net, images.clone(), classes, at="trunk.2"), expected)


def test_under_autocast(images, classes):
    net = make()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        raw = grad_cam(net, images, classes, at="trunk")
    expected = grad_cam(net, images, classes, at="trunk")
    assert raw.dtype == torch.float32
    torch.testing.assert_close(raw, expected, rtol=0.1, atol=0.02 * float(expected.max()))


def test_logits_inside_a_tuple(images, classes):
    net = make()
    paired = nn.Sequential(net)
    paired.register_forward_hook(lambda module, inputs, output: (output, None))
    with pytest.raises(ValueError, match=r"shape \(4, k\), got tuple.*logits="):
        grad_cam(paired, images, classes, at="0.trunk")
    found = grad_cam(paired, images, classes, at="0.trunk", logits=lambda out: out[0])
    assert torch.equal(found, grad_cam(net, images, classes, at="trunk"))


@pytest.mark.parametrize(("classes", "said"), [
    (torch.tensor([0, 1, 2]), r"4 integers, one an image, got torch.int64 of shape \(3,\)"),
    (torch.tensor([0.0, 1, 2, 3]), "integers.*float32"),
    (torch.tensor([True, False, True, True]), "integers.*bool"),
    (torch.tensor([0, 1, 2, 5]), "in 0 ... 4, got 5"),
    (torch.tensor([0, -1, 2, 3]), "in 0 ... 4, got -1"),
])
def test_classes_that_will_not_do(images, classes, said):
    with pytest.raises(ValueError, match=said):
        grad_cam(make(), images, classes, at="trunk")


def test_layers_that_will_not_do(images, classes):
    net = make()
    with pytest.raises(ValueError, match="no layer 'trunc'; near names: trunk"):
        grad_cam(net, images, classes, at="trunc")
    with pytest.raises(ValueError, match=r"'classify' must be a tensor \(n, C, H, W\), got shape \(4, 5\)"):
        grad_cam(net, images, classes, at="classify")
    twice = nn.Sequential(net.trunk[0], *[nn.ReLU()] * 2, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="must run once in a forward pass, it ran 2 times"):
        grad_cam(twice, images, classes, at="1")
    net.side = nn.Conv2d(3, 4, 1)
    with pytest.raises(ValueError, match="it ran 0 times"):
        grad_cam(net, images, classes, at="side")

    class Ignores(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.side = net, nn.Conv2d(3, 4, 1)

        def forward(self, images):
            self.side(images)
            return self.net(images)

    ignores = Ignores()
    for frozen in (False, True):
        with pytest.raises(ValueError, match="do not depend on layer 'side'"):
            grad_cam(ignores.requires_grad_(not frozen), images, classes, at="side")
    assert all(not m._forward_hooks for m in ignores.modules())


@given(st.integers(0, 2**31), st.floats(1e-3, 1e3), st.integers(1, 5))
def test_one_scale_for_the_set(seed, factor, n):
    raw = torch.rand(n, 3, 4, generator=torch.Generator().manual_seed(seed)) * factor
    unit = to_unit(raw)
    assert unit.min() >= 0 and unit.max() == 1
    torch.testing.assert_close(unit * raw.max(), raw)
    torch.testing.assert_close(to_unit(3 * raw), unit)
    # one image brighter: the others fall by as much (a scale per image would hide that)
    brighter = torch.cat([raw, 2 * raw.max() * torch.ones(1, 3, 4)])
    torch.testing.assert_close(to_unit(brighter)[:n], unit / 2)
    torch.testing.assert_close(to_unit(brighter, per_image_scale(brighter))[:n].amax((1, 2)), torch.ones(n))


def test_scales_of_sets_that_come_in_batches():
    raw = torch.tensor([[[0.0, 1.0]], [[2.0, 4.0]]])
    scale = max(float(part.amax()) for part in raw.split(1))
    assert torch.equal(torch.cat([to_unit(part, scale) for part in raw.split(1)]), to_unit(raw))
    assert to_unit(raw, 2.0).tolist() == [[[0.0, 0.5]], [[1.0, 1.0]]]
    assert to_unit(torch.zeros(2, 3, 3)).tolist() == torch.zeros(2, 3, 3).tolist()
    assert to_unit(raw * torch.tensor([0.0, 1.0])[:, None, None], per_image_scale(
        raw * torch.tensor([0.0, 1.0])[:, None, None])).tolist() == [[[0.0, 0.0]], [[0.5, 1.0]]]


@pytest.mark.parametrize(("raw", "scale", "said"), [
    (torch.zeros(2, 3), None, r"\(n, h, w\), got \(2, 3\)"),
    (torch.full((1, 2, 2), float("nan")), None, "finite and not negative"),
    (torch.full((1, 2, 2), -1.0), None, "finite and not negative"),
    (torch.ones(1, 2, 2), -1.0, "scale must be"),
    (torch.ones(1, 2, 2), float("inf"), "scale must be"),
])
def test_maps_that_will_not_do(raw, scale, said):
    with pytest.raises(ValueError, match=said):
        to_unit(raw, scale)
