"""Attention after any layer of any torch model, without touching the model's code.

A forward hook replaces the layer's output x by ``attention(x)``; the attention itself is a child of
the model under the name ``attached``.  So every name of the backbone's ``state_dict`` stays what it
was (a wrapper around the layer would rename its weights), and the attention's are
``attached.<layer with / for .>.<...>``.  The hook holds the attention as an attribute and in no
closure: ``copy.deepcopy`` gives a model that looks through its own copy.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from training.attention import SpatialAttention

PREFIX = "attached"
SIDE = 224  # pixels of the image of the dry run, where the model does not say
WRAPPERS = (nn.parallel.DistributedDataParallel, nn.DataParallel, torch.jit.ScriptModule)


class Attached(nn.ModuleDict):
    """The attention modules of a model, by layer (``/`` for ``.``).

    As a module it is the identity: an ``nn.Sequential`` runs all of its children.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[str, torch.utils.hooks.RemovableHandle] = {}

    def forward(self, x: Any) -> Any:
        return x


class AttendOutput:
    """A forward hook: the output of layer ``at`` becomes ``attention(output)``."""

    def __init__(self, attention: nn.Module, at: str) -> None:
        self.attention, self.at = attention, at

    def __call__(self, layer: nn.Module, inputs: Any, output: Any) -> Tensor:
        require_features(output, self.at)
        attended = self.attention(output)
        if not isinstance(attended, Tensor) or attended.shape != output.shape:
            raise ValueError(f"the attention at {self.at!r} must return a tensor of the shape of its "
                             f"input {tuple(output.shape)}, got {_shown(attended)}")
        return attended


def attach(
    model: nn.Module,
    *,
    at: str,
    attention: nn.Module | Callable[[int], nn.Module],
    example: Tensor | None = None,
) -> nn.Module:
    """Put ``attention`` after the layer ``at`` of ``model``; undone by :func:`detach`.

    One forward pass up to the layer (in evaluation mode, without gradients, nothing after the layer
    runs) checks the shape there before anything is changed.

    Args:
        model: any model that is called with one tensor of images.
        at: name of a layer as in ``model.named_modules()`` whose output is ``(n, C, H, W)``.
        attention: a module of features to features of the same shape, or what makes one from the
            number of channels C (a class will do).  It is moved to the layer's device and floating
            dtype and takes over the model's training mode.
        example: images for the pass; by default one of zeros with the channels of the model's first
            convolution and the size of its ``default_cfg`` (timm), or of 224 x 224.

    Returns:
        The attention module; its parameters are also the model's.

    Raises:
        ValueError: no such layer (near names are suggested); an attention that cannot take the
            layer's features; something is attached there already;
            an output that is not ``(n, C, H, W)`` or has its channels last; channels that are not
            those that the attention was built for; a layer that does not run; a model whose
            default pass fails (give ``example``).
        TypeError: an ``attention`` that is neither a module nor makes one; a model that is wrapped
            already (compiled, distributed): what wraps it would not see the attention.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten())
    >>> attend = attach(net, at="1", attention=lambda channels: nn.Conv2d(channels, channels, 1))
    >>> sorted(net.state_dict())
    ['0.bias', '0.weight', 'attached.1.bias', 'attached.1.weight']
    >>> detach(net); sorted(net.state_dict())
    ['0.bias', '0.weight']
    """
    if isinstance(model, WRAPPERS) or hasattr(model, "_orig_mod"):
        raise TypeError(f"attach to the model before it is compiled or wrapped, got a "
                        f"{type(model).__name__}")
    layer = find_layer(model, at)
    registry = getattr(model, PREFIX, None)
    if registry is not None and not isinstance(registry, Attached):
        raise ValueError(f"the model has an attribute {PREFIX!r} of its own, under which the attention "
                         f"would go: {type(registry).__name__}")
    key = at.replace(".", "/")
    if registry is not None and key in registry:
        raise ValueError(f"something is attached at {at!r} already: detach(model, at={at!r}) first")
    features = output_of(model, at, example)
    channels = features.shape[1]
    if not isinstance(attention, nn.Module):
        if not callable(attention):
            raise TypeError(f"attention must be a module or make one from the number of channels, got "
                            f"{attention!r}")
        attention = attention(channels)
        if not isinstance(attention, nn.Module):
            raise TypeError(f"attention({channels}) must be a module, got {attention!r}")
    if isinstance(attention, SpatialAttention) and attention.channels != channels:
        raise ValueError(f"layer {at!r} has {channels} channels, the attention was built for "
                         f"{attention.channels}")
    attention = attention.to(features.device, _weights_dtype(layer, model))
    _try(attention, features, at)
    if registry is None:
        registry = Attached()
        setattr(model, PREFIX, registry)
    registry[key] = attention.train(model.training)
    registry.hooks[key] = layer.register_forward_hook(AttendOutput(attention, at))
    return attention


def _try(attention: nn.Module, features: Tensor, at: str) -> None:
    """Run the attention once on features of the layer, so that what cannot work says so now.

    The oracle is left out: it works only with masks.
    """
    if hasattr(attention, "truth"):
        return
    try:
        with torch.no_grad(), evaluating(attention):
            out = attention(features)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"the attention does not take the features of layer {at!r}, "
                         f"{tuple(features.shape)}: {error}") from error
    if not isinstance(out, Tensor) or out.shape != features.shape:
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ValueError(f"the attention must keep the shape {tuple(features.shape)} of layer {at!r}, "
                         f"got {got}")
    if isinstance(attention, SpatialAttention):
        attention.last = None


def detach(model: nn.Module, at: str | None = None) -> None:
    """Undo :func:`attach` at one layer, or everywhere: the model is what it was before.

    Raises:
        ValueError: nothing is attached (there).
    """
    registry = getattr(model, PREFIX, None)
    if not isinstance(registry, Attached):
        raise ValueError(f"nothing is attached to this {type(model).__name__}")
    key = None if at is None else at.replace(".", "/")
    if key is not None and key not in registry:
        there = ", ".join(repr(k.replace("/", ".")) for k in registry)
        raise ValueError(f"nothing is attached at {at!r}, only at {there}")
    for name in list(registry) if key is None else [key]:
        registry.hooks.pop(name).remove()
        del registry[name]
    if not registry:
        delattr(model, PREFIX)


def find_layer(model: nn.Module, at: str) -> nn.Module:
    """The layer named ``at`` (as in ``model.named_modules()``).

    Raises:
        ValueError: no such layer, with the nearest names; a list of layers, which does not run.
    """
    layers = dict(model.named_modules())
    layer = layers.get(at) if at else None
    if layer is None:
        names = [name for name in layers if name and name.split(".")[0] != PREFIX]
        near = difflib.get_close_matches(at, names, n=5, cutoff=0.4)
        near += [name for name in names if name.startswith(f"{at}.") and name not in near][:5]
        hint = f"near names: {', '.join(near)}" if near else f"it starts with {', '.join(names[:8])}"
        raise ValueError(f"the model has no layer {at!r}; {hint}")
    if isinstance(layer, nn.ModuleList | nn.ModuleDict):
        inner = ", ".join(f"{at}.{name}" for name, _ in layer.named_children())
        raise ValueError(f"{at!r} is a list of layers and has no output: name one of {inner}")
    return layer


def output_of(model: nn.Module, at: str, images: Tensor | None = None) -> Tensor:
    """Features ``(n, C, H, W)`` after the layer ``at``, in evaluation mode and without gradients.

    Runs the model up to that layer only, and leaves it as it was.  Attention attached at ``at``
    has not run.

    Args:
        images: default as in :func:`attach`.

    Raises:
        ValueError: as :func:`attach` does, for the layer and its output.
    """
    layer = find_layer(model, at)
    guessed = images is None
    if guessed:
        images = _default_example(model, at)
    try:
        with torch.no_grad(), evaluating(model):
            features = run_until(model, layer, images)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        if guessed:
            raise ValueError(f"the model does not run on zeros of shape {tuple(images.shape)}: give "
                             f"example=images ({error})") from error
        raise
    if features is _NOTHING:
        raise ValueError(f"layer {at!r} does not run in the model's forward pass")
    require_features(features, at)
    if _channels_last(model, at, layer, tuple(images.shape), tuple(features.shape)):
        raise ValueError(f"layer {at!r} gives (n, H, W, C) = {tuple(features.shape)}, channels last; "
                         "attention needs (n, C, H, W): attach it to a layer of that layout")
    return features


class _Stop(Exception):  # noqa: N818 - no error
    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output


_NOTHING = object()


def run_until(model: nn.Module, layer: nn.Module, images: Tensor) -> Any:
    """The output of ``layer`` in ``model(images)``; nothing later runs, nor do hooks of the layer.

    So an attention that is attached there has not looked yet.
    """

    def stop(module: nn.Module, inputs: Any, output: Any) -> None:
        raise _Stop(output)

    hook = layer.register_forward_hook(stop, prepend=True)
    try:
        model(images)
    except _Stop as stopped:
        return stopped.output
    finally:
        hook.remove()
    return _NOTHING


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode; every module's own mode comes back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def require_features(output: Any, at: str) -> None:
    """``ValueError`` unless ``output`` is a tensor ``(n, C, H, W)``."""
    if not isinstance(output, Tensor) or output.ndim != 4:
        raise ValueError(f"the output of layer {at!r} must be a tensor (n, C, H, W), got "
                         f"{_shown(output)}")


def _shown(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _default_example(model: nn.Module, at: str) -> Tensor:
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        raise ValueError(f"the shape at {at!r} is unknown (the model has no convolution): give "
                         "example=images")
    config = getattr(model, "default_cfg", None) or {}
    side = tuple(config.get("input_size", (0, SIDE, SIDE)))[1:]
    return first.weight.new_zeros(1, first.in_channels, *side)


def _channels_last(model: nn.Module, at: str, layer: nn.Module, image: tuple[int, ...],
                   shape: tuple[int, ...]) -> bool:
    """Whether the output is (n, H, W, C): said so (timm's ``output_fmt``), or seen by its sides."""
    if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
        return False
    parents = [model.get_submodule(".".join(at.split(".")[:i])) for i in range(at.count(".") + 2)]
    said = any(str(getattr(m, "output_fmt", "")).upper().endswith("NHWC") for m in parents)
    square = len(image) == 4 and image[2] == image[3]
    return said or (square and shape[1] == shape[2] != shape[3])


def _weights_dtype(layer: nn.Module, model: nn.Module) -> torch.dtype | None:
    weights = (p for m in (layer, model) for p in m.parameters() if p.is_floating_point())
    first = next(weights, None)
    return None if first is None else first.dtype
