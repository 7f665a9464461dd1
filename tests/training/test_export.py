"""Attached attention under compile, export, ONNX, autocast and channels-last."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from torch import nn

from tests.timm_on_cpu import allow_timm
from training.attach import attach
from training.attention import PositionwiseAttention, RectangularAttention
from training.attention_heads import HEADS
from training.attention_peers import CBAMSpatialAttention, SimAM

allow_timm()

ATTENTIONS = {
    **{head: lambda channels, head=head: RectangularAttention(channels, head=head, start_half_width=0.2)
       for head in HEADS},
    "two ellipses": lambda channels: RectangularAttention(channels, shape="ellipse", count=2),
    "gate": lambda channels: RectangularAttention(channels, head="light", gate=True),
    "positionwise": lambda channels: PositionwiseAttention(channels, width=6),
    "cbam": CBAMSpatialAttention,
    "simam": SimAM,
}
# Compilers take seconds each: these always, all with --deep.
COMPILED, ONNX = ("light", "simam"), ("coords", "light", "positionwise")

# Deprecations inside torch's and ONNX's own exporters; dynamo about caches of array_api_compat.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"),
              pytest.mark.filterwarnings("ignore::FutureWarning"),
              pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8),
                                      nn.ReLU(inplace=True), nn.Conv2d(8, 12, 3, stride=2))
        self.tail = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(12, 16, 1), nn.ReLU(inplace=True))
        self.classify = nn.Linear(16, 5)

    def forward(self, images):
        return self.classify(self.tail(self.features(images)).mean(dim=(2, 3)))


def make(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Net().eval()
        attention = attach(net, at="features.3", attention=ATTENTIONS[name])
        if getattr(attention, "gate", None) is not None:
            nn.init.constant_(attention.gate, 0.7)
    return net


@pytest.fixture
def images():
    return torch.randn(3, 3, 34, 26, generator=torch.Generator().manual_seed(1))


def some(always):
    return [pytest.param(n, marks=() if n in always else pytest.mark.deep) for n in ATTENTIONS]


@pytest.fixture(params=ATTENTIONS)
def net(request):
    return make(request.param)


@pytest.mark.parametrize("name", some(COMPILED))
def test_compiled_in_one_graph(name, images):
    torch._dynamo.reset()
    net = make(name)
    expected, other = net(images), copy.deepcopy(net)
    expected.square().sum().backward()
    compiled = torch.compile(other, backend="aot_eager", fullgraph=True)
    found = compiled(images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    found.square().sum().backward()
    for (name, p), q in zip(net.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(q.grad, p.grad, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_compiled_by_inductor(net, images):
    torch._dynamo.reset()
    expected = net(images)
    torch.testing.assert_close(torch.compile(net)(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", some(ONNX))
def test_export_and_onnx_run_to_the_same_values(name, images):
    """For another batch size than the one that is traced."""
    import onnxruntime
    net = make(name)
    expected = net(images).detach().numpy()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.onnx.export(net, (images,), dynamo=True, verbose=False,
                                dynamic_shapes=({0: batch},))
    exported = program.exported_program.module()
    torch.testing.assert_close(exported(images[:2]), net(images[:2]), rtol=1e-5, atol=1e-6)
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for n in (3, 1):
        (found,) = session.run(None, {name: images[:n].numpy()})
        np.testing.assert_allclose(found, expected[:n], rtol=1e-4, atol=1e-5)
    plain = Net().eval()
    plain.load_state_dict({k: v for k, v in net.state_dict().items() if not k.startswith("attached.")})
    assert not np.allclose(plain(images).detach().numpy(), expected, atol=1e-3)


def test_bf16_autocast(net, images):
    expected = net(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = net(images)
        net.features.register_forward_hook(lambda m, i, out: seen.append(out))
        seen = []
        net(images)
    assert found.dtype == torch.bfloat16 and seen[0].dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.05)
    last = net.attached["features/3"].last
    assert last is None or last.f.dtype == torch.float32
    found.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_channels_last(net, images):
    expected = net(images)
    net, images = net.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    seen = []
    net.features.register_forward_hook(lambda m, i, out: seen.append(out))
    torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-5)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_a_network_of_timm_is_exported():
    import timm

    net = timm.create_model("mobilenetv3_small_050", num_classes=4).eval()
    attach(net, at="blocks.3", attention=lambda c: RectangularAttention(c, head="light"))
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(net, (x,))
    torch.testing.assert_close(program.module()(x), net(x), rtol=1e-4, atol=1e-5)
    assert {k for k in program.state_dict if k.startswith("attached.")} == {
        k for k in net.state_dict() if k.startswith("attached.blocks/3.")} != set()


@pytest.mark.deep
def test_a_network_of_timm_is_compiled():
    import timm

    net = timm.create_model("mobilenetv3_small_050", num_classes=4).eval()
    attach(net, at="blocks.3", attention=lambda c: RectangularAttention(c, head="light"))
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    torch._dynamo.reset()
    compiled = torch.compile(copy.deepcopy(net), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), net(x), rtol=1e-4, atol=1e-5)


def test_channels_last_layers_of_timm_are_refused():
    import timm

    net = timm.create_model("swin_s3_tiny_224", num_classes=2, depths=(1, 1, 1, 1)).eval()
    for at in ("layers.1", "layers.2.blocks.0", "norm"):
        with pytest.raises(ValueError, match="channels last; attention needs"):
            attach(net, at=at, attention=SimAM)
    attach(net, at="patch_embed.proj", attention=SimAM)


def test_after_features_of_a_network_of_torchvision():
    import torchvision

    net = torchvision.models.mobilenet_v3_small(num_classes=3).eval()
    names = list(net.state_dict())
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = net(x)
    attention = attach(net, at="features", attention=RectangularAttention)
    assert attention.channels == 576 and list(net.state_dict())[:len(names)] == names
    assert not torch.equal(net(x), expected) and attention.last.f.shape == (2, 2, 2)
