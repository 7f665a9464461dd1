"""How a command line and a file change a configuration: ``key=value`` and JSON or TOML (no torch)."""

from __future__ import annotations

import ast
import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

from training.config import RunConfig, as_dict, from_dict


def from_file(path: str | Path, base: RunConfig | None = None) -> RunConfig:
    """A configuration from a JSON or TOML file, whose settings are laid over ``base``.

    A row, or a run's ``config.json``, will do.

    Raises:
        ValueError: no such file, another suffix, a file that cannot be parsed, an unknown field, a
            value of another type; names the file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            values = tomllib.loads(text)
        elif path.suffix == ".json":
            values = json.loads(text)
        else:
            raise ValueError("a configuration is a .json or .toml file")
        if not isinstance(values, dict) or not isinstance(values.get("config", {}), dict):
            raise ValueError("a configuration is a table of settings")
        values = values.get("config", values)
        under = as_dict(base or RunConfig())
        if isinstance(values.get("shapes"), dict):
            values = {**values, "shapes": {**under["shapes"], **values["shapes"]}}
        return from_dict({**under, **values})
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(f"{path}: {error}") from error


def changed(config: Any, settings: list[str]) -> dict[str, Any]:
    """``key=value`` strings as a dict of fields of ``config``; ``shapes.key`` reaches into it.

    >>> changed(RunConfig(), ["steps=10", "shapes.noise=0.2"])["shapes"].noise
    0.2

    Raises:
        ValueError: no ``=``, an unknown field, a value of another type.
    """
    out: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"a setting is key=value, got {setting!r}")
        outer, dot, rest = name.partition(".")
        if dot and dataclasses.is_dataclass(getattr(config, outer, None)):
            inner.setdefault(outer, {})[rest] = _value(getattr(config, outer), rest, name, text)
        else:
            out[name] = _value(config, name, name, text)
    for outer, values in inner.items():
        out[outer] = dataclasses.replace(getattr(config, outer), **values)
    return out


def _value(config: Any, name: str, shown: str, text: str) -> Any:
    known = {f.name for f in dataclasses.fields(config)}
    if name not in known or dataclasses.is_dataclass(getattr(config, name)):
        raise ValueError(f"unknown setting {shown!r}; known: {', '.join(sorted(known))} "
                         "(shapes.FIELD for those of shapes)")
    now = getattr(config, name)
    if isinstance(now, str):
        return text
    if name == "analyses":
        return tuple(part for part in text.split(",") if part)
    try:
        value = ast.literal_eval(text.capitalize() if isinstance(now, bool) else text)
    except (ValueError, SyntaxError):
        value = None
    if isinstance(now, float) and type(value) is int:
        value = float(value)
    same = type(value) is type(now)
    if same and isinstance(now, tuple):
        same = len(value) == len(now) and all(
            isinstance(v, int | float) and not (type(v) is float and type(w) is int)
            for v, w in zip(value, now, strict=True))
    if not same:
        raise ValueError(f"{shown} must be of type {type(now).__name__} like {now!r}, got {text!r}")
    return value
