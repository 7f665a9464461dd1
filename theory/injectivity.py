r"""Is the module :math:`M(x)=x+f(x)\odot x` injective?  [App. F]

A predictor ``f`` is a callable that takes an input ``x`` of shape ``(H, W, C)`` and returns its
attention map ``(H, W)``, values in [0, 1].  ``rescaled=True`` puts the rescaled map of Eq. 7 in
its place.  Inputs are single (no batch), of any array library; object arrays of Fractions work
where the predictor does.

Colliding inputs are positive multiples of each other at every position: with
:math:`L=\log(1+f)`, :math:`M(x)=M(x')` iff :math:`x'=e^t\odot x` with
:math:`t=L(x)-L(x')` at every position where x is not zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from theory.arrays import Array, as_arrays, first_bad, is_array, to_numpy
from theory.attention import rescale, residual

Predictor = Callable[[Array], Array]
MAX_BINARY_CELLS = 16


@dataclass(frozen=True)
class Collision:
    """Two distinct inputs with (numerically) one output.

    Attributes:
        x, y: the inputs ``(H, W, C)``.
        residual: ``max |M(x) - M(y)|``; 0 for binary predictors, whose collisions are exact.
        distance: ``max |x - y|``.
    """

    x: Array
    y: Array
    residual: float
    distance: float


def module(f: Predictor, x: Array, *, rescaled: bool = False) -> Array:
    r""":math:`M(x)_{ijk} = x_{ijk} + f(x)_{ij}\,x_{ijk}`  [Eq. 26].

    Raises:
        ValueError: x that is not ``(H, W, C)`` or not finite, a map of another grid or with values
            outside [0, 1].

    >>> module(lambda x: np.ones((1, 2)), np.array([[[1.0], [3.0]]]))
    array([[[2.],
            [6.]]])
    """
    x = _input(x)
    return residual(x, _map(f, x, rescaled))


def prop3_condition(f: Predictor, x: Array, y: Array) -> bool:
    """Whether x and y differ at some (i, j, k) where their maps are equal  [Prop. 3].

    If all pairs of distinct inputs do, M is injective; the converse is false.
    """
    x, y = _pair(x, y)
    same = to_numpy(_map(f, x, False) == _map(f, y, False))
    return bool(np.any(to_numpy(x != y) & same[..., None]))


def collides(f: Predictor, x: Array, y: Array) -> bool:
    r"""Whether two distinct inputs of a binary predictor collide, without forming M.

    :math:`M(x)=M(x')` iff :math:`x'_{ijk}=2^{f(x)_{ij}-f(x')_{ij}}x_{ijk}` for all i, j, k.  Exact
    in floating point too, but for subnormal numbers.

    Raises:
        ValueError: a map with values other than 0 and 1.

    >>> collides(lambda x: 1.0 * (x[..., 0] < 2), np.array([[[1.0]]]), np.array([[[2.0]]]))
    True
    """
    x, y = _pair(x, y)
    maps = [_binary_map(f, v)[..., None] for v in (x, y)]
    left, right = (to_numpy(v) / (1 + m) for v, m in zip((x, y), maps[::-1], strict=True))
    return bool(np.any(to_numpy(x != y)) and np.all(left == right))


def prop4_ratio(f: Predictor, x: Array, y: Array, *, rescaled: bool = False) -> float:
    r""":math:`\|f(x)x-f(x')x'\|_2 / \|x-x'\|_2`  [Prop. 4]: no collision where it is below 1.

    Raises:
        ValueError: equal inputs.
    """
    x, y = _pair(x, y)
    maps = [_map(f, v, rescaled) for v in (x, y)]
    x, y = (to_numpy(v) for v in (x, y))
    if np.all(x == y):
        raise ValueError("the ratio of Prop. 4 needs two distinct inputs, got equal ones")
    left, right = (v * to_numpy(m)[..., None] for v, m in zip((x, y), maps, strict=True))
    return _norm(left - right) / _norm(x - y)


def log_scale_limit(height: int, width: int, *, rescaled: bool = False) -> float:
    """Largest ``|t|_inf`` of a collision: ``log 2``, or ``log(1 + HW)`` for the rescaled map."""
    return math.log1p(height * width if rescaled else 1)


def log_scale_margin(f: Predictor, x: Array, t: Array, *, rescaled: bool = False) -> float:
    r""":math:`\|t\|_\infty-\|L(e^t\odot x)-L(x)\|_\infty`, :math:`L=\log(1+f)`, over x's non-zero
    positions.

    M is injective on a domain if this is positive for each of its pairs x, :math:`e^t\odot x` with
    t != 0 there and :math:`\|t\|_\infty\le` :func:`log_scale_limit`; beyond the limit it is
    positive by itself.  t is read as 0 where x is zero in all channels.

    Args:
        x: ``(H, W, C)``.
        t: ``(H, W)``.

    Raises:
        ValueError: t of another grid or not finite; ``exp(t) * x`` not finite.
    """
    x = _input(x)
    t = to_numpy(t).astype(np.float64)
    if t.shape != tuple(x.shape[:2]):
        raise ValueError(f"t must have the grid {tuple(x.shape[:2])} of x, got {t.shape}")
    if not np.all(np.isfinite(t)):
        raise ValueError(f"t must be finite, got {t[~np.isfinite(t)].ravel()[0]}")
    live = np.any(to_numpy(x) != 0, axis=-1)
    if not live.any():
        return 0.0
    before, after = (np.log1p(to_numpy(_map(f, v, rescaled)).astype(np.float64))
                     for v in (x, _scaled(x, np.where(live, t, 0.0))))
    return float(np.abs(t[live]).max() - np.abs(after - before)[live].max())


def binary_collisions(f: Predictor, x: Array) -> Iterator[Collision]:
    """All inputs that collide with x, for a binary predictor, exactly.

    A collision doubles, halves or keeps each position, so the ``2**n`` patterns of the n non-zero
    positions (up to 16) are all there is to try.

    Raises:
        ValueError: more than 16 non-zero positions, or a map with values other than 0 and 1.
    """
    x = _input(x)
    values = to_numpy(x)
    cells = np.argwhere(np.any(values != 0, axis=-1))
    if len(cells) > MAX_BINARY_CELLS:
        raise ValueError(
            f"2^n patterns are tried up to n = {MAX_BINARY_CELLS} non-zero positions, got "
            f"{len(cells)}")
    here = _binary_map(f, x)
    for pattern in product((0, 1), repeat=len(cells)):  # values of the other input's map
        wanted = here.copy()
        wanted[tuple(cells.T)] = pattern
        step = here - wanted
        if not np.any(step):
            continue
        with np.errstate(over="ignore"):
            other = values * (1 + (step > 0))[..., None] / (1 + (step < 0))[..., None]
        if other.dtype != object and not np.all(np.isfinite(other)):
            continue  # doubled out of the range of floats: not an input
        y = _like(other, x)
        if collides(f, x, y):
            yield Collision(x, y, 0.0, float(np.abs(to_numpy(y) - values).max()))


def find_collision(
    f: Predictor,
    x: Array,
    *,
    binary: bool = False,
    rescaled: bool = False,
    starts: int = 24,
    seed: int = 0,
    tolerance: float | None = None,
) -> Collision | None:
    r"""An input that collides with x, or None if none was found.

    Binary predictors: exact and complete (:func:`binary_collisions`); None is then a proof for this
    x.  Otherwise solves :math:`t+L(e^t\odot x)-L(x)=0` for t != 0 inside the limit of
    :func:`log_scale_limit`, by least squares on the left side divided by :math:`\|t\|` (so that
    t = 0 is no solution) from several starts, then refines; None proves nothing.

    Args:
        starts, seed: number of random starts, and their seed.
        tolerance: a pair counts if ``residual <= tolerance * distance``; by default the square
            root of the dtype's precision over ten.

    Raises:
        ValueError: as :func:`module`; ``binary`` with ``rescaled``; starts < 1.
    """
    if binary and rescaled:
        raise ValueError("the rescaled map is not binary: pass binary=False")
    if starts < 1:
        raise ValueError(f"starts must be at least 1, got {starts}")
    if binary:
        return next(binary_collisions(f, x), None)
    x = _input(x)
    values = to_numpy(x)
    if tolerance is None:
        tolerance = 0.1 * math.sqrt(np.finfo(np.result_type(values, np.float32)).eps)
    live = np.any(values != 0, axis=-1)
    if not live.any():
        return None
    problem = _LogScale(f, x, live, rescaled)
    limit = log_scale_limit(*live.shape, rescaled=rescaled)
    for start in _starts(problem.size, limit, starts, seed):
        t = problem.solve(start, limit)
        y = _scaled(x, problem.spread(t))
        distance = float(np.abs(to_numpy(y) - values).max())
        if distance <= 1e-6 * float(np.abs(values).max()):
            continue
        out = [to_numpy(module(f, v, rescaled=rescaled)) for v in (x, y)]
        gap = float(np.abs(out[0] - out[1]).max())
        if gap <= tolerance * distance:
            return Collision(x, y, gap, distance)
    return None


class _LogScale:
    """The equation ``t + L(exp(t) x) - L(x) = 0`` on the non-zero positions of x."""

    def __init__(self, f: Predictor, x: Array, live: np.ndarray, rescaled: bool) -> None:
        self.f, self.x, self.live, self.rescaled = f, x, live, rescaled
        self.size = int(live.sum())
        self.here = self._log(x)

    def _log(self, x: Array) -> np.ndarray:
        values = to_numpy(_map(self.f, x, self.rescaled)).astype(np.float64)
        return np.log1p(values[self.live])

    def spread(self, t: np.ndarray) -> np.ndarray:
        full = np.zeros(self.live.shape)
        full[self.live] = t
        return full

    def __call__(self, t: np.ndarray) -> np.ndarray:
        return t + self._log(_scaled(self.x, self.spread(t))) - self.here

    def solve(self, start: np.ndarray, limit: float) -> np.ndarray:
        from scipy.optimize import least_squares

        floor = 1e-12
        box = (-1.01 * limit, 1.01 * limit)
        first = least_squares(lambda t: self(t) / max(float(np.linalg.norm(t)), floor), start,
                              bounds=box, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=200).x
        if not np.any(first) or np.abs(self(first)).max() > 1e-3 * np.abs(first).max():
            return first
        refined = least_squares(self, first, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=60).x
        best = min((first, refined), key=lambda t: float(np.abs(self(t)).max())
                   / max(float(np.abs(t).max()), floor))
        return best


def _starts(size: int, limit: float, count: int, seed: int) -> Iterator[np.ndarray]:
    """Common scalings of all positions first, then random ones."""
    generator = np.random.default_rng(seed)
    for k in range(count):
        if k < min(8, count):
            yield np.full(size, limit * (0.9, -0.9, 0.6, -0.6, 0.3, -0.3, 0.1, -0.1)[k])
        else:
            yield generator.uniform(-limit, limit, size)


def _input(x: Array) -> Array:
    xp, x = as_arrays(x)
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(f"an input has shape (H, W, C), none of them 0, got {tuple(x.shape)}")
    if x.dtype == object:
        return x
    if xp.isdtype(x.dtype, ("bool", "complex floating")):
        raise TypeError(f"an input must be real, got {x.dtype}")
    return x if xp.isdtype(x.dtype, "real floating") else xp.astype(x, xp.float64)


def _pair(x: Array, y: Array) -> tuple[Array, Array]:
    x, y = _input(x), _input(y)
    if x.shape != y.shape:
        raise ValueError(f"inputs must have one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    return x, y


def _map(f: Predictor, x: Array, rescaled: bool) -> Array:
    xp, values = as_arrays(f(x))
    if tuple(values.shape) != tuple(x.shape[:2]):
        raise ValueError(f"f must return a map of the grid {tuple(x.shape[:2])}, got shape "
                         f"{tuple(values.shape)}")
    good = (values >= 0) & (values <= 1)
    if not bool(xp.all(good)):
        raise ValueError(
            f"an attention map has values in [0, 1], got {first_bad(xp, values, good)}")
    return rescale(values) if rescaled else values


def _binary_map(f: Predictor, x: Array) -> np.ndarray:
    values = to_numpy(_map(f, x, False))
    good = (values == 0) | (values == 1)
    if not good.all():
        raise ValueError(f"a binary map has values 0 and 1, got {values[~good].ravel()[0]}")
    return values.astype(np.int64)


def _like(values: np.ndarray, x: Array) -> Array:
    """``values`` in the library and dtype of x."""
    if not is_array(x) or isinstance(x, np.ndarray):
        return values.astype(x.dtype)
    xp, x, out = as_arrays(x, values.astype(np.float64), check_finite=False)
    return xp.astype(out, x.dtype)


def _scaled(x: Array, t: np.ndarray) -> Array:
    """``exp(t) * x`` in the library and dtype of x, or ``ValueError`` if it overflows."""
    values = to_numpy(x).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        out = np.where(values == 0, 0.0, values * np.exp(t)[..., None])
    if not np.all(np.isfinite(out)):
        raise ValueError("exp(t) * x must be finite, got infinity")
    return _like(out, x)


def _norm(values: np.ndarray) -> float:
    flat = values.astype(np.float64).ravel()
    top = float(np.abs(flat).max())
    return top * float(np.sqrt(np.sum((flat / top) ** 2))) if top > 0 else 0.0
