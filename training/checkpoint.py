"""Checkpoints that a kill at any moment cannot lose.

A checkpoint NAME is three files: ``NAME-STEP-HASH.safetensors`` (the weights),
``NAME-STEP-HASH.pt`` (everything else, loadable with ``weights_only=True``) and the small
``NAME.json``, which says which pair counts, with the SHA-256 of both.  Each is written beside its
place, synced and renamed; the pair of another content has other names, so that the pair that counts
stays whole until ``NAME.json`` has been replaced.  Only then are older pairs removed.

One process writes a name at a time.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import platform
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from theory import __version__
from theory.files import write_whole

SCHEMA = 1
PARTS = {"weights": "safetensors", "state": "pt"}


class CheckpointError(ValueError):
    """A checkpoint that cannot be used or must not be overwritten; says which file and why."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What was saved.

    Attributes:
        key: of the cell.
        step: number of gradient steps done.
        weights: tensors on the CPU.
        state: what was given to :func:`save`.
        versions: of quadrat, python and torch that wrote it.
    """

    key: str
    step: int
    weights: dict[str, Tensor]
    state: dict[str, Any]
    versions: dict[str, str]


def save(
    folder: str | Path,
    name: str,
    *,
    key: str,
    step: int,
    weights: Mapping[str, Tensor],
    state: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint in place of the older one of this name; returns the path of NAME.json.

    Args:
        folder: made if it is not there.
        name: letters, digits, ``.``, ``_`` and ``-``, the first no dot.
        key: of the cell; a checkpoint of another key is not overwritten.
        step: number of gradient steps done.
        weights: a ``state_dict``; saved contiguous, on the CPU.
        state: dicts, lists and tuples of tensors, numbers, strings, booleans and None.
        config: the configuration in plain types, so that :func:`load` can say what differs.

    Raises:
        CheckpointError: what is there is of another key or cannot be read.
        ValueError: a name that is no file name, a negative step.
        TypeError: a state that ``weights_only=True`` could not load; says where.
    """
    from safetensors.torch import save as safetensors_bytes

    pointer = _pointer(folder, name)
    if int(step) != step or step < 0:
        raise ValueError(f"step must be an integer >= 0, got {step}")
    _require_plain(state, "state")
    _read(pointer, key, config)  # nothing unreadable or foreign is overwritten
    tensors = {n: v.detach().cpu().clone(memory_format=torch.contiguous_format)
               for n, v in weights.items()}
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    data = {"weights": safetensors_bytes(tensors, {"key": key, "step": str(step)}),
            "state": buffer.getvalue()}
    sums = {part: hashlib.sha256(content).hexdigest() for part, content in data.items()}
    stem = f"{name}-{step:08d}-{hashlib.sha256(''.join(sums.values()).encode()).hexdigest()[:16]}"
    files = {part: f"{stem}.{suffix}" for part, suffix in PARTS.items()}
    pointer.parent.mkdir(parents=True, exist_ok=True)
    for part, content in data.items():
        write_whole(pointer.parent / files[part], content)
    head = {"schema": SCHEMA, "key": key, "step": int(step), "versions": _versions(),
            "config": None if config is None else _as_json(config),
            **{part: {"file": files[part], "sha256": sums[part]} for part in PARTS}}
    write_whole(pointer, (json.dumps(head, indent=1) + "\n").encode())
    _remove_others(pointer.parent, name, set(files.values()))
    return pointer


def load(
    folder: str | Path,
    name: str,
    *,
    key: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> Checkpoint | None:
    """The last whole checkpoint of a name; None where there is none.

    Args:
        key: the key it must have, if given.
        config: the caller's configuration, to name the fields that differ when the key does.

    Raises:
        CheckpointError: another key, or a file that is missing, truncated or altered; names it.
    """
    pointer = _pointer(folder, name)
    read = _read(pointer, key, config)
    if read is None:
        return None
    head, data = read
    try:
        from safetensors.torch import load as tensors_of

        weights = tensors_of(data["weights"])
        state = torch.load(io.BytesIO(data["state"]), map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{pointer}: cannot be read: {error}") from error
    return Checkpoint(head["key"], head["step"], weights, state, head["versions"])


def collect(
    optimizer: torch.optim.Optimizer, generator: torch.Generator, **more: Any
) -> dict[str, Any]:
    """The state that the next step depends on besides the weights, as copies on the CPU.

    ``more`` is kept under its names; :func:`restore` gives it back.
    """
    return {"optimizer": _copied(optimizer.state_dict()), "generator": generator.get_state(),
            **_copied(more)}


def restore(
    state: Mapping[str, Any], optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> dict[str, Any]:
    """Put a :func:`collect`-ed state back; returns what else was collected.

    Raises:
        CheckpointError: an optimiser of other parameters, or a generator of another kind.
    """
    try:
        optimizer.load_state_dict(_copied(state["optimizer"]))
        generator.set_state(state["generator"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"the state does not fit this run: {error}") from error
    return {n: v for n, v in state.items() if n not in ("optimizer", "generator")}


def _pointer(folder: str | Path, name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        raise ValueError("name must be of letters, digits, '.', '_' and '-', and start with no dot, "
                         f"got {name!r}")
    return Path(folder) / f"{name}.json"


def _read(
    pointer: Path, key: str | None, config: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """What NAME.json says and the bytes of its pair, both checked."""
    if not pointer.exists():
        return None
    head = _read_pointer(pointer)
    if key is not None and head["key"] != key:
        raise CheckpointError(f"{pointer}: the checkpoint of another configuration: its key is "
                              f"{head['key']}, not {key}" + _difference(head["config"], config))
    return head, {part: _read_part(pointer, head[part]) for part in PARTS}


def _read_pointer(path: Path) -> dict[str, Any]:
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
        if head["schema"] != SCHEMA:
            raise CheckpointError(f"{path}: schema must be {SCHEMA}, got {head['schema']!r}")
        needed = {"key": str, "step": int, "versions": dict, "weights": dict, "state": dict}
        wrong = [field for field, kind in needed.items() if not isinstance(head[field], kind)]
        wrong += [part for part in PARTS if not {"file", "sha256"} <= set(head[part])]
        if wrong:
            raise KeyError(wrong[0])
        return {"config": None, **head}
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: no checkpoint, or a damaged one ({error!r})") from error


def _read_part(pointer: Path, entry: Mapping[str, str]) -> bytes:
    path = pointer.parent / Path(entry["file"]).name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); {pointer.name} names "
                              "it") from error
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckpointError(f"{path}: truncated or altered: its SHA-256 is not the one in "
                              f"{pointer.name}")
    return data


def _remove_others(folder: Path, name: str, keep: set[str]) -> None:
    """Older pairs, and what a killed process left of its files (:func:`theory.files.write_whole`)."""
    pair = rf"{re.escape(name)}-\d{{8,}}-[0-9a-f]{{16}}\.(safetensors|pt)"
    other = re.compile(rf"{pair}|\.({pair}|{re.escape(name)}\.json)\.\d+\.part")
    for path in folder.iterdir():
        if other.fullmatch(path.name) and path.name not in keep:
            path.unlink(missing_ok=True)


def _require_plain(value: Any, where: str) -> None:
    if type(value) in (dict, OrderedDict):
        for key, inner in value.items():
            if type(key) not in (str, int, float, bool):
                raise TypeError(f"{where}: keys must be strings or numbers, got {key!r}")
            _require_plain(inner, f"{where}[{key!r}]")
    elif type(value) in (list, tuple):
        for i, inner in enumerate(value):
            _require_plain(inner, f"{where}[{i}]")
    elif type(value) not in (Tensor, int, float, str, bool, type(None)):
        raise TypeError(f"{where}: a checkpoint holds tensors, numbers, strings, booleans, None, "
                        f"dicts, lists and tuples, got {type(value).__name__}")


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(inner) for inner in value)
    return value


def _as_json(config: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dict(config)))


def _difference(saved: Any, now: Mapping[str, Any] | None) -> str:
    """Which fields differ, as text; empty where one of both is not known."""
    if saved is None or now is None:
        return ""
    was, here = _flat(saved), _flat(_as_json(now))
    differ = [f"{field} was {was.get(field, 'not there')!r}, is {here.get(field, 'not there')!r}"
              for field in sorted(was.keys() | here.keys())
              if was.get(field, was) != here.get(field, here)]
    return "; " + ("; ".join(differ) if differ else "the configurations agree: other code made it")


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in tree.items():
        inner = _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else None
        out.update(inner if inner is not None else {f"{prefix}{name}": value})
    return out


def _versions() -> dict[str, str]:
    return {"quadrat": __version__, "python": platform.python_version(),
            "torch": str(torch.__version__)}
