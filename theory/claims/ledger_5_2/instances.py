"""Strategies and small ranges of contamination models, in exact arithmetic.

An instance is a dict of object arrays of Fractions ``(atoms,)``: ``pure``, ``other``,
``background`` and ``fitting``; or ``low`` and ``high``, two fitting maps with low <= high.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

HALF = Fraction(1, 2)


def defined(instance: dict[str, Any], key: str = "fitting") -> bool:
    """Whether eta is defined: lambda < 1 at some atom of the background."""
    pairs = zip(instance[key], instance["background"], strict=True)
    return any(lam < 1 and g > 0 for lam, g in pairs)


def mixtures(atoms: int = 4) -> Any:
    """Mixtures on 1 to ``atoms`` atoms, eta defined or not."""
    from hypothesis import strategies as st

    from theory import strategies

    return st.integers(1, atoms).flatmap(lambda k: strategies.mixtures(k, exact=True))


def defined_mixtures(atoms: int = 4) -> Any:
    """Mixtures with eta defined, as the paper assumes."""
    return mixtures(atoms).filter(defined)


def constant_mixtures(atoms: int = 4) -> Any:
    """Mixtures whose lambda is one number below 1."""
    from hypothesis import strategies as st

    def spread(pair: tuple[dict[str, Any], Fraction]) -> dict[str, Any]:
        instance, value = pair
        return {**instance, "fitting": np.array([value] * len(instance["pure"]), dtype=object)}

    level = st.tuples(st.integers(0, 59), st.integers(1, 60)).map(
        lambda p: Fraction(p[0], p[0] + p[1]))
    return st.tuples(mixtures(atoms), level).map(spread)


def apart_mixtures(extra: int = 3, *, disjoint: bool) -> Any:
    """Mixtures, eta defined, whose pure supports differ or (``disjoint``) do not meet.

    Atom 0 belongs to ``other`` alone and atom 1 to ``pure``; each further atom has an owner.
    """
    from hypothesis import strategies as st

    from theory.strategies import fitting_values, simplex

    weight = st.integers(0, 20)
    owner = st.sampled_from(["pure", "other", "neither"] + ([] if disjoint else ["both"]))
    atom = st.tuples(owner, weight, weight)
    first = st.tuples(st.just("other"), st.just(0), st.integers(1, 20))
    second = st.tuples(st.just("pure" if disjoint else "both"), st.integers(1, 20), weight)

    def build(atoms: list[Any]) -> dict[str, Any]:
        p = [w if owned in ("pure", "both") else 0 for owned, w, _ in atoms]
        q = [w if owned in ("other", "both") else 0 for owned, _, w in atoms]
        return {"pure": density(p), "other": density(q)}

    def on(k: int) -> Any:
        return st.tuples(
            st.tuples(first, second, *[atom] * k).map(build),
            st.fixed_dictionaries({"background": simplex(k + 2, exact=True),
                                   "fitting": fitting_values(k + 2, exact=True)}),
        ).map(lambda parts: {**parts[0], **parts[1]})

    return st.integers(0, extra).flatmap(on).filter(defined)


def ordered_maps(min_atoms: int = 2, max_atoms: int = 4) -> Any:
    """Mixtures with two maps, ``low <= high`` at every atom and eta defined for both."""
    from hypothesis import strategies as st

    from theory.strategies import fitting_values

    def sort(parts: tuple[dict[str, Any], Any]) -> dict[str, Any]:
        instance, b = dict(parts[0]), parts[1]
        a = instance.pop("fitting")
        return {**instance, "low": np.minimum(a, b), "high": np.maximum(a, b)}

    def on(k: int) -> Any:
        from theory.strategies import mixtures as of

        return st.tuples(of(k, exact=True), fitting_values(k, exact=True)).map(sort)

    return st.integers(min_atoms, max_atoms).flatmap(on).filter(lambda i: defined(i, "high"))


def density(weights: list[int]) -> np.ndarray:
    """The density proportional to integer weights."""
    return np.array([Fraction(w, sum(weights)) for w in weights], dtype=object)


def small_mixtures(atoms: int = 2) -> Iterator[dict[str, Any]]:
    """All mixtures with densities in halves and lambda in {0, 1/2, 1}, eta defined."""
    halves = [density(list(w)) for w in product(range(3), repeat=atoms) if sum(w) == 2]
    for p, q, g in product(halves, repeat=3):
        for lam in product((Fraction(0), HALF, Fraction(1)), repeat=atoms):
            instance = {"pure": p, "other": q, "background": g,
                        "fitting": np.array(lam, dtype=object)}
            if defined(instance):
                yield instance


def small_ordered_maps() -> Iterator[dict[str, Any]]:
    """Pairs low <= high in {0, 1/2, 1}^3 for p = (1,0,0), p' = (0,1,0), p_bg = (0,1/2,1/2)."""
    levels = (Fraction(0), HALF, Fraction(1))
    base = {"pure": density([1, 0, 0]), "other": density([0, 1, 0]),
            "background": density([0, 1, 1])}
    for low, high in product(product(levels, repeat=3), repeat=2):
        instance = {**base, "low": np.array(low, dtype=object),
                    "high": np.array(high, dtype=object)}
        if all(a <= b for a, b in zip(low, high, strict=True)) and defined(instance, "high"):
            yield instance
