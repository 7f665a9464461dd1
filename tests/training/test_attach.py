"""Attaching: what changes, what does not, what is refused, and that undoing leaves nothing."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from training.attach import PREFIX, attach, detach, find_layer, output_of
from training.attention import PositionwiseAttention, RectangularAttention


class Gate(nn.Module):
    """A small attention: x * (1 + sigmoid(w . x))."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        self.mix = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        return x * (1 + torch.sigmoid(self.mix(x)))


class Net(nn.Module):
    """Layers of every sort: nested, in place, channels last, a tuple, one that never runs."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4, bias=False), nn.BatchNorm2d(6),
                                  nn.ReLU(inplace=True))
        self.blocks = nn.ModuleList([nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 10, 3)])
        self.act = nn.ReLU(inplace=True)
        self.last = ToLast()
        self.both = Both()
        self.flat = nn.Flatten()
        self.unused = nn.Conv2d(6, 6, 1)
        self.head = nn.LazyLinear(4)

    def forward(self, images):
        x = self.stem(images)
        for block in self.blocks:
            x = self.act(block(x))
        x = self.both(self.last(x).movedim(-1, 1))[0]
        return self.head(self.flat(x.mean(dim=(2, 3))))


class ToLast(nn.Module):
    def forward(self, x):
        return x.movedim(1, -1)


class Both(nn.Module):
    def forward(self, x):
        return x, x


def make(cls=Net, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = cls()
        net(torch.zeros(2, 3, 32, 32))
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_()
                m.running_var.uniform_(0.5, 2)
    return net.eval()


@pytest.fixture
def net():
    return make()


@pytest.fixture
def images():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def by_hand(images, attend, at):
    """The forward pass of ``make()`` written out, with ``attend[i]`` after layer ``at[i]``."""
    net = make()
    after = dict(zip(at, attend, strict=True))
    x = after.get("stem", nn.Identity())(net.stem(images))
    for i, block in enumerate(net.blocks):
        x = net.act(after.get(f"blocks.{i}", nn.Identity())(block(x)))
    return net.head(x.mean(dim=(2, 3)))


def state(net):
    return {k: v.clone() for k, v in net.state_dict().items()}


def same_state(net, before):
    now = net.state_dict()
    return list(now) == list(before) and all(torch.equal(now[k], before[k]) for k in now)


def test_it_is_the_attention_after_the_layer(net, images):
    plain = net(images)
    first = attach(net, at="stem", attention=Gate)
    assert torch.equal(net(images), by_hand(images, [first], ["stem"]))
    assert not torch.allclose(net(images), plain, atol=1e-3)
    second = attach(net, at="blocks.1", attention=Gate)
    assert (first.channels, second.channels) == (6, 10)
    found = net(images)
    assert torch.equal(found, by_hand(images, [first, second], ["stem", "blocks.1"]))
    assert not torch.allclose(found, by_hand(images, [second], ["blocks.1"]), atol=1e-3)


def test_the_backbone_keeps_its_names_and_its_checkpoints(net, images):
    old = state(net)
    attach(net, at="blocks.1", attention=Gate)
    now = net.state_dict()
    added = [k for k in now if k not in old]
    assert added == ["attached.blocks/1.mix.weight", "attached.blocks/1.mix.bias"]
    assert [k for k in now if k in old] == list(old)
    fresh = make(seed=5)
    attach(fresh, at="blocks.1", attention=Gate)
    missing, unexpected = fresh.load_state_dict(old, strict=False)
    assert missing == added and unexpected == []
    fresh.load_state_dict(now)  # strict
    assert torch.equal(fresh(images), net(images))


@given(st.lists(st.sampled_from(["stem", "stem.0", "stem.1", "blocks.0", "blocks.1", "act"]),
                unique=True, min_size=1), st.booleans(), st.randoms(use_true_random=False))
def test_undone_in_any_order_it_leaves_the_model_as_it_was(layers, training, random):
    net, images = make().train(training), torch.ones(2, 3, 32, 32)
    shared = copy.deepcopy(net)
    before, modules = state(net), list(net.named_modules())
    for at in layers:
        attach(net, at=at, attention=Gate, example=images)
    assert set(getattr(net, PREFIX)) == {at.replace(".", "/") for at in layers}
    if training:
        detach(net)
    else:
        for at in random.sample(layers, len(layers)):
            detach(net, at=at)
    assert same_state(net, before) and list(net.named_modules()) == modules
    assert all(not m._forward_hooks for m in net.modules())
    assert torch.equal(net(images), shared(images)) and not hasattr(net, PREFIX)


def test_looking_for_the_channels_changes_nothing(net, images):
    net.train()
    net.stem[1].eval()
    before, modes = state(net), [m.training for m in net.modules()]
    attention, random = Gate(10), torch.get_rng_state()
    attach(net, at="blocks.1", attention=attention)
    assert [m.training for m in net.modules() if not isinstance(m, Gate)][:len(modes)] == modes
    detach(net)
    assert same_state(net, before) and torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for p in net.parameters())


def test_nothing_after_the_layer_runs(net):
    net.head.register_forward_hook(lambda *_: pytest.fail("the head ran"))
    assert output_of(net, "blocks.1").shape == (1, 10, 54, 54)
    assert output_of(net, "blocks.1", torch.zeros(2, 3, 40, 24)).shape == (2, 10, 8, 4)


def test_it_is_part_of_the_model(net):
    attention = attach(net, at="stem", attention=Gate)
    ours = {id(p) for p in attention.parameters()}
    assert ours <= {id(p) for p in net.parameters()} and not attention.training
    net.train()
    assert attention.training
    net.to(torch.float64)
    assert attention.mix.weight.dtype == torch.float64
    net.to("meta")
    assert attention.mix.weight.device.type == "meta"


def test_it_takes_over_dtype_and_mode_of_the_layer(images):
    net = make().to(torch.bfloat16).train()
    attention = attach(net, at="blocks.0", attention=Gate)
    assert attention.training and attention.mix.weight.dtype == torch.bfloat16
    assert net(images.bfloat16()).dtype == torch.bfloat16


def test_both_learn(net, images):
    attention = attach(net, at="stem", attention=Gate)
    net(images).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in (*attention.parameters(), net.stem[0].weight))


@pytest.mark.parametrize("copied", [copy.deepcopy,
                                    lambda net: pickle.loads(pickle.dumps(net))],
                         ids=["deepcopy", "pickle"])
def test_a_copy_looks_through_its_own_attention(net, images, copied):
    attach(net, at="stem", attention=Gate)
    attach(net, at="blocks.0", attention=Gate)
    with_attention, before = net(images), state(net)
    other = copied(net)
    assert torch.equal(other(images), with_attention)
    with torch.no_grad():
        for p in other.attached.parameters():
            p.add_(1)
    assert torch.equal(net(images), with_attention)
    assert not torch.allclose(other(images), with_attention, atol=1e-3)
    detach(other)
    assert same_state(net, before) and torch.equal(net(images), with_attention)
    assert torch.equal(other(images), make()(images))


def test_the_map_of_a_copy_is_its_own(net, images):
    attention = attach(net, at="stem", attention=RectangularAttention)
    other = copy.deepcopy(net)
    assert attention.last is None
    other(images)
    assert attention.last is None and other.attached["stem"].last.f.shape == (2, 8, 8)


def test_functional_calls_see_other_weights(net, images):
    attach(net, at="stem", attention=Gate)
    weights = {k: v + 0.5 for k, v in net.state_dict().items() if k.startswith(PREFIX)}
    called = torch.func.functional_call(net, weights, (images,))
    before = net(images)
    net.load_state_dict(weights, strict=False)
    assert torch.equal(net(images), called) and not torch.allclose(called, before, atol=1e-3)


def test_a_sequence_of_layers_as_the_model(images):
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten()).eval()
    plain = net[1](net[0](images))
    attention = attach(net, at="1", attention=Gate)
    assert torch.equal(net(images), attention(plain).flatten(1))


def test_a_module_that_is_there_already_is_used(net, images):
    attention = PositionwiseAttention(6)
    assert attach(net, at="stem", attention=attention) is attention
    net(images)
    assert attention.last.f.shape == (2, 8, 8)


def test_state_goes_through_a_file(net, images):
    attach(net, at="blocks.1", attention=Gate)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    fresh = make(seed=3)
    attach(fresh, at="blocks.1", attention=Gate)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(fresh(images), net(images))


@pytest.mark.parametrize(("at", "said"), [
    ("block.1", "no layer 'block.1'; near names: .*blocks.1"),
    ("stem.2.conv", "no layer 'stem.2.conv'; near names: .*stem"),
    ("zzzz", "no layer 'zzzz'; it starts with stem, "),
    ("", "no layer ''"),
    ("blocks", "'blocks' is a list of layers and has no output: name one of blocks.0, blocks.1"),
    ("unused", "'unused' does not run"),
    ("last", r"\(1, 54, 54, 10\), channels last"),
    ("both", r"'both' must be a tensor \(n, C, H, W\), got tuple"),
    ("head", r"'head' must be a tensor \(n, C, H, W\), got shape \(1, 4\)"),
])
def test_layers_that_will_not_do(net, at, said):
    before = state(net)
    with pytest.raises(ValueError, match=said):
        attach(net, at=at, attention=Gate)
    assert same_state(net, before) and not hasattr(net, PREFIX)
    assert all(not m._forward_hooks for m in net.modules())


def test_channels_last_that_the_model_declares():
    class Declared(nn.Module):
        output_fmt = "NHWC"

        def __init__(self):
            super().__init__()
            self.proj = nn.Conv2d(3, 8, 4, stride=4)
            self.mid = ToLast()

        def forward(self, x):
            return self.mid(self.proj(x))

    net = Declared()
    with pytest.raises(ValueError, match="channels last"):
        attach(net, at="mid", attention=Gate, example=torch.zeros(1, 3, 32, 64))
    attach(net, at="proj", attention=Gate, example=torch.zeros(1, 3, 32, 64))


def test_arguments_that_will_not_do(net):
    with pytest.raises(ValueError, match="'stem' has 6 channels, the attention was built for 7"):
        attach(net, at="stem", attention=RectangularAttention(7))
    with pytest.raises(TypeError, match="must be a module or make one .* got 'simam'"):
        attach(net, at="stem", attention="simam")
    with pytest.raises(TypeError, match=r"attention\(6\) must be a module, got 12"):
        attach(net, at="stem", attention=lambda channels: 2 * channels)
    assert not hasattr(net, PREFIX)
    attach(net, at="stem", attention=Gate)
    with pytest.raises(ValueError, match="attached at 'stem' already"):
        attach(net, at="stem", attention=Gate)
    with pytest.raises(ValueError, match="nothing is attached at 'act', only at 'stem'"):
        detach(net, at="act")
    detach(net)
    with pytest.raises(ValueError, match="nothing is attached to this Net"):
        detach(net)
    net.attached = nn.Identity()
    with pytest.raises(ValueError, match="an attribute 'attached' of its own.*Identity"):
        attach(net, at="stem", attention=Gate)


def test_an_attention_that_changes_the_shape_later_is_named(net, images):
    class Narrows(nn.Module):
        def forward(self, x):
            return x if x.shape[-1] > 8 else x[:, :2]

    attach(net, at="stem", attention=Narrows())
    with pytest.raises(ValueError, match=r"'stem' must return .* \(2, 6, 8, 8\), got shape \(2, 2, 8, 8\)"):
        net(images)


def test_a_wrapped_model_is_refused(net):
    for wrapped in (torch.compile(net, backend="eager"), nn.DataParallel(net)):
        with pytest.raises(TypeError, match="before it is compiled or wrapped, got a "):
            attach(wrapped, at="stem", attention=Gate)


def test_a_model_that_cannot_be_guessed_asks_for_an_example():
    net = nn.Sequential(nn.Unflatten(1, (4, 2, 2)), nn.ReLU())
    with pytest.raises(ValueError, match="no convolution.*example=images"):
        attach(net, at="1", attention=Gate)
    attach(net, at="1", attention=Gate, example=torch.zeros(3, 16))
    fixed = nn.Sequential(nn.Flatten(), nn.Linear(48, 16), nn.Unflatten(1, (1, 4, 4)),
                          nn.Conv2d(1, 3, 1))
    with pytest.raises(ValueError, match=r"zeros of shape \(1, 1, 224, 224\): give example=images"):
        attach(fixed, at="3", attention=Gate)
    with pytest.raises(RuntimeError):
        attach(fixed, at="3", attention=Gate, example=torch.zeros(1, 5))


def test_layers_are_found_by_name(net):
    assert find_layer(net, "blocks.1") is net.blocks[1]


def test_distributed_training_sees_the_attention(net, images):
    import torch.distributed as dist

    del net.unused
    attention = attach(net, at="stem", attention=Gate)
    net(images).sum().backward()
    alone = attention.mix.weight.grad.clone()
    net.zero_grad()
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(net)
        with pytest.raises(TypeError, match="before it is compiled or wrapped"):
            attach(wrapped, at="act", attention=Gate)
        wrapped(images).sum().backward()
    finally:
        dist.destroy_process_group()
    assert torch.allclose(attention.mix.weight.grad, alone) and alone.abs().sum() > 0


@pytest.mark.parametrize(("layer", "attention", "message"), [
    (nn.Conv2d(3, 4, 1), lambda c: nn.Conv2d(3, c, 1), "does not take the features of layer '0'"),
    (nn.Conv2d(3, 4, 1), lambda c: nn.Conv2d(c, 2, 1), "must keep the shape"),
    (nn.AdaptiveAvgPool2d(1), RectangularAttention, "features of layer '0'.*Eq. 5 needs"),
])
def test_what_cannot_work_is_refused_when_it_is_attached(layer, attention, message):
    net = nn.Sequential(layer, nn.Flatten())
    before = sorted(net.state_dict())
    with pytest.raises(ValueError, match=message):
        attach(net, at="0", attention=attention, example=torch.rand(1, 3, 6, 6))
    assert sorted(net.state_dict()) == before and not hasattr(net, PREFIX)
