"""Strategies, small ranges and quantities of contamination models, in exact arithmetic.

An instance is a dict of object arrays of Fractions ``(atoms,)``: ``pure``, ``other``,
``background`` and ``fitting``; or ``low`` and ``high``, two fitting maps with low <= high, which
may come with ``a`` and ``b``, the square roots of 1 - l and 1 - u for l <= low <= high <= u.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np

from theory.separation import mixture_density, total_variation

HALF = Fraction(1, 2)
TOP = 60
SMALL = "two atoms, densities in halves, lambda in {0, 1/2, 1}"
SMALL_BOXES = "l = 0, u = 3/4, maps in {0, 3/4}^3, p = (1-s,s,0), p' = (0,0,1), s and p_bg in thirds"


def classes(instance: dict[str, Any], key: str = "fitting") -> tuple[np.ndarray, np.ndarray]:
    """The two contaminated densities of an instance, under the map ``key``."""
    p, other = (mixture_density(instance[k], instance["background"], instance[key])
                for k in ("pure", "other"))
    return p, other


def separation(instance: dict[str, Any], key: str = "fitting") -> Fraction:
    """``d_TV`` of the two contaminated classes."""
    return total_variation(*classes(instance, key))


def pure_separation(instance: dict[str, Any]) -> Fraction:
    """``d_TV`` of the two pure classes."""
    return total_variation(instance["pure"], instance["other"])


def arguments(instance: dict[str, Any], key: str = "fitting") -> tuple[Any, Any, Any]:
    """What the bounds of Theorem 2 take: both pure densities and lambda."""
    return instance["pure"], instance["other"], instance[key]


def defined(instance: dict[str, Any], key: str = "fitting") -> bool:
    """Whether eta is defined: lambda < 1 at some atom of the background."""
    pairs = zip(instance[key], instance["background"], strict=True)
    return any(lam < 1 and g > 0 for lam, g in pairs)


def mixtures(atoms: int = 4) -> Any:
    """Mixtures on 1 to ``atoms`` atoms, eta defined or not."""
    return _numbers(1, atoms, 4, _mixture)


def defined_mixtures(atoms: int = 4) -> Any:
    """Mixtures with eta defined, as the paper assumes."""
    return _numbers(1, atoms, 4, lambda rows: with_eta(_mixture(rows)))


def constant_mixtures(atoms: int = 4) -> Any:
    """Mixtures whose lambda is one number below 1."""
    def build(rows: list[Any]) -> dict[str, Any]:
        level = Fraction(min(rows[3][0], TOP - 1), TOP)
        return {**_mixture(rows), "fitting": np.array([level] * len(rows[0]), dtype=object)}

    return _numbers(1, atoms, 4, build)


def apart_mixtures(extra: int = 3, *, disjoint: bool) -> Any:
    """Mixtures, eta defined, whose pure supports differ or (``disjoint``) do not meet.

    Atom 0 belongs to ``other`` alone and atom 1 to ``pure``; each further atom has an owner.
    """
    def build(rows: list[Any]) -> dict[str, Any]:
        p, q, owner = list(rows[0]), list(rows[1]), rows[4]
        p[0], q[0], p[1] = 0, max(q[0], 1), max(p[1], 1)
        for atom in range(1, len(p)):
            if disjoint and (atom == 1 or owner[atom] <= TOP // 2):
                q[atom] = 0
            elif disjoint:
                p[atom] = 0
        return with_eta(_mixture([p, q, *rows[2:4]]))

    return _numbers(2, extra + 2, 5, build)


def ordered_maps(min_atoms: int = 2, max_atoms: int = 4) -> Any:
    """Mixtures with two maps, ``low <= high`` (often equal) and eta defined for both."""
    def build(rows: list[Any]) -> dict[str, Any]:
        instance = _mixture(rows)
        low = instance.pop("fitting")
        step = np.array([Fraction(max(0, 2 * n - TOP), TOP) for n in rows[4]], dtype=object)
        high = with_eta({**instance, "fitting": low + (1 - low) * step})["fitting"]
        return {**instance, "low": np.minimum(low, high), "high": high}

    return _numbers(min_atoms, max_atoms, 5, build)


def boxed_maps(atoms: int = 4) -> Any:
    """Mixtures with maps l <= low <= high <= u, ``a`` and ``b``, and eta defined for both."""
    def build(rows: list[Any]) -> dict[str, Any]:
        b, a = (Fraction(n, TOP) for n in sorted((rows[5][0], max(rows[5][1], 1))))
        bottom, top = 1 - a * a, 1 - b * b
        instance = _mixture(rows)
        low = bottom + (top - bottom) * instance.pop("fitting")
        step = np.array([Fraction(max(0, 2 * n - TOP), TOP) for n in rows[4]], dtype=object)
        high = low + (top - low) * step
        if not defined({**instance, "fitting": high}):
            atom = int(np.argmax(instance["background"] > 0))
            low[atom] = high[atom] = bottom
        return {**instance, "a": a, "b": b, "low": low, "high": high}

    return _numbers(2, atoms, 6, build)


def small_boxed_maps() -> Iterator[dict[str, Any]]:
    """The maps of ``SMALL_BOXES``: some of their falls attain the bound 1/3."""
    thirds = [density(list(w)) for w in product(range(4), repeat=3) if sum(w) == 3]
    levels = (Fraction(0), Fraction(3, 4))
    for p, g in product([v for v in thirds if v[2] == 0], thirds):
        for pairs in product(((0, 0), (0, 1), (1, 1)), repeat=3):
            low, high = (np.array([levels[n[k]] for n in pairs], dtype=object) for k in (0, 1))
            yield {"pure": p, "other": density([0, 0, 1]), "background": g, "a": Fraction(1),
                   "b": HALF, "low": low, "high": high}


def perfect_classes(atoms: int = 4) -> Any:
    """Mixtures whose lambda is 1 wherever ``pure`` has mass, eta defined by atom 0 (no mass there)."""
    def build(rows: list[Any]) -> dict[str, Any]:
        p, q, g, numbers = (list(r) for r in rows)
        p[0], p[1], g[0], numbers[0] = 0, max(p[1], 1), max(g[0], 1), min(numbers[0], TOP - 1)
        return _mixture([p, q, g, [TOP if a else n for a, n in zip(p, numbers, strict=True)]])

    return _numbers(2, atoms, 4, build)


def clean_backgrounds(extra: int = 3) -> Any:
    """Mixtures with maps low <= high whose background lives only where the pure densities agree.

    Atom 0 is the classes', atom 1 the background's, each further atom has an owner.  On the
    background's atoms both classes have the same mass, often none.
    """
    def build(rows: list[Any]) -> dict[str, Any]:
        pure, other, background, low, step, owner, common = rows
        theirs = [k == 0 or (k > 1 and n > TOP // 2) for k, n in enumerate(owner)]

        def on(weights: list[int], *, classes: bool) -> np.ndarray:
            """A density that is 0 on the other side's atoms, uniform if no weight is left."""
            kept = [n if own == classes else 0 for n, own in zip(weights, theirs, strict=True)]
            return density(kept if any(kept) else [int(own == classes) for own in theirs])

        share = Fraction(max(0, 2 * owner[0] - TOP), TOP)
        shared = share * on(common, classes=False)
        instance = {"pure": (1 - share) * on(pure, classes=True) + shared,
                    "other": (1 - share) * on(other, classes=True) + shared,
                    "background": on(background, classes=False)}
        worse = fitting(low)
        better = worse + (1 - worse) * fitting(step)
        high = with_eta({**instance, "fitting": better})["fitting"]
        return {**instance, "low": np.minimum(worse, high), "high": high}

    return _numbers(2, extra + 2, 7, build)


def small_clean_backgrounds() -> Iterator[dict[str, Any]]:
    """Four atoms, p_bg = (0,0,1/2,1/2), p != p' in halves on the first two, maps in {0, 1/2, 1}.

    The map is one number on the background's atoms, lambda < 1 there.
    """
    levels = (Fraction(0), HALF, Fraction(1))
    pairs = [(a, b) for a, b in product(levels, repeat=2) if a <= b]
    for p, q in combinations([[0, 2], [1, 1], [2, 0]], 2):
        base = {"pure": density([*p, 0, 0]), "other": density([*q, 0, 0]),
                "background": density([0, 0, 1, 1])}
        for first, second, behind in product(pairs, pairs, [x for x in pairs if x[1] < 1]):
            low, high = (np.array([first[k], second[k], behind[k], behind[k]], dtype=object)
                         for k in (0, 1))
            yield {**base, "low": low, "high": high}


def kept_errors(atoms: int = 4) -> Any:
    """Mixtures with eta defined and ``keep`` in (0, 1]."""
    def build(rows: list[Any]) -> dict[str, Any]:
        return {**with_eta(_mixture(rows)), "keep": Fraction(max(rows[4][0], 1), TOP)}

    return _numbers(1, atoms, 5, build)


def binary_then_better(atoms: int = 4) -> Any:
    """Mixtures with a map ``low`` of values 0 and 1 and any better map, eta defined for both."""
    def build(rows: list[Any]) -> dict[str, Any]:
        instance = _mixture(rows)
        low = np.array([Fraction(int(2 * n > TOP)) for n in rows[3]], dtype=object)
        high = with_eta({**instance, "fitting": np.maximum(low, fitting(rows[4]))})["fitting"]
        return {**instance, "low": np.minimum(low, high), "high": high}

    return _numbers(2, atoms, 5, build)


def density_pairs(atoms: int = 5) -> Any:
    """``{"p", "q"}``, two densities on 1 to ``atoms`` atoms."""
    return _numbers(1, atoms, 2, lambda rows: {"p": density(rows[0]), "q": density(rows[1])})


def with_eta(instance: dict[str, Any]) -> dict[str, Any]:
    """The instance, with lambda = 0 at one atom of the background if eta were undefined."""
    if defined(instance):
        return instance
    lam = instance["fitting"].copy()
    lam[int(np.argmax(instance["background"] > 0))] = Fraction(0)
    return {**instance, "fitting": lam}


def fitting(numbers: Any) -> np.ndarray:
    """Values of lambda from integers in [0, 60]."""
    return np.array([Fraction(n, TOP) for n in numbers], dtype=object)


def _mixture(rows: Any) -> dict[str, Any]:
    return {"pure": density(rows[0]), "other": density(rows[1]), "background": density(rows[2]),
            "fitting": fitting(rows[3])}


def _numbers(low: int, high: int, rows: int, build: Any) -> Any:
    """``build`` of ``rows`` rows of k integers in [0, 60], k from ``low`` to ``high``."""
    from hypothesis import strategies as st

    def of(k: int) -> Any:
        return st.tuples(*[st.integers(0, TOP)] * (k * rows)).map(
            lambda flat: build([flat[i * k:(i + 1) * k] for i in range(rows)]))

    return st.one_of([of(k) for k in range(low, high + 1)])


def density(weights: Any) -> np.ndarray:
    """The density proportional to integer weights, uniform if all are 0."""
    weights = list(weights) if any(weights) else [1] * len(weights)
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
