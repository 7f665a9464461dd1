r"""How much a rectangle's map changes with its five outputs, in the mean over the cells of the grid.

For rectangles p with centre :math:`\mu\in[0,1]^2` and half-widths in ``[least, most]``, any angle,

.. math:: \tfrac1n\sum_t |f_p(t) - f_q(t)| \le L_\mu |\mu-\mu'| + L_\sigma |\sigma-\sigma'|
          + L_\alpha |\alpha-\alpha'|,

and :math:`|\Phi(2f_p-1, a) - \Phi(2f_q-1, a)|` is at most that for every target a.  Proof: integrate
the gradient along the segment from p to q.  In the rectangle's own axes, in units of its half-widths,
f = w(x) w(y) with the window w, so each derivative is at most a sum of products A(X) B(Y) of functions
with one hump each: the edge |w'| / sigma (two humps), times the width w (or times |Y| for the angle).
A rotated box of sides l1, l2 holds at most ``(l1/h + 1)(l2/h + 1)`` points of a grid of pitch h
(:func:`lattice_count`); adding up over the level sets of A and B,

.. math:: \sum_t A(X_t)B(Y_t) \le (\smallint A/h + \max A)(\smallint B/h + \max B).

The edge has the integral 1 whatever its width, so the sum over n cells is a perimeter's: n times the
perimeter times h, not n times the largest derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.bounds.checks import float64
from theory.rectangle import Rectangle, grid, logit_soft_rectangle

SAFE = 1 + 1e-9  # above the rounding of all that is summed here
DIAMETER = math.sqrt(2)  # of the unit square: no side of a box inside it is longer
FAR = 4.0  # half-widths from here on are taken together: their windows cover the square
Pair = tuple[np.ndarray, np.ndarray]  # integral and maximum, summed over the humps


@dataclass(frozen=True)
class Profile:
    r"""Integrals and maxima of the humps that bound the derivatives of a map, for half-width 1.

    Args:
        edge, edge_max: of the edge E(x), one of its two humps; :math:`|\partial_X|\le E(x)w(y)`.
        stretch, stretch_max: of x E(x), one of its two humps.
        width, peak: of w(y), which has one.
        moment, moment_max: of y w(y), one of its two humps.
    """

    edge: float
    edge_max: float
    stretch: float
    stretch_max: float
    width: float
    peak: float
    moment: float
    moment_max: float


def soft_profile(s: float) -> Profile:
    r"""Of the soft rectangle of Eqs. 1-5: :math:`w(x)=\Lambda(s(1-x^2))`, E = |w'|.

    :math:`\int_0^\infty|w'|=\Lambda(s)`, :math:`\int_0^\infty x|w'|=\int_0^\infty w\le
    \sqrt{\log(1+e^s)/s}` (w is the tail of the root of a logistic variable of that mean; Jensen) and
    :math:`\int_0^\infty yw=\log(1+e^s)/(2s)`.

    Raises:
        ValueError: s that is not positive and finite.

    >>> p = soft_profile(6.0)
    >>> round(p.edge, 4), round(p.edge_max, 3), round(p.width, 3)
    (0.9975, 3.02, 2.0)
    """
    s = _positive("s", s)
    area = np.logaddexp(0.0, s) / s
    root = math.sqrt(area)
    return Profile(
        edge=_plain(s), edge_max=_largest_slope(s, 1),
        stretch=root, stretch_max=_largest_slope(s, 2),
        width=2 * root, peak=_plain(s),
        moment=float(area) / 2, moment_max=_largest_moment(s))


def margin_profile(s: float, margin: float) -> Profile:
    r"""Of the logit z of the soft rectangle, cut at +-margin and divided by it.

    The ramp loss at that margin changes no faster.  Where :math:`|z|<\gamma` both windows are above
    :math:`\Lambda(-\gamma)`, that is :math:`x^2,y^2\le1+\gamma/s`, and
    :math:`|\partial_x z|=2s|x|\frac{1-w(x)}{1-f}\le2s|x|\min(1,\frac{1-w(x)}{\Lambda(-\gamma)})`.

    >>> p = margin_profile(6.0, 1.0)
    >>> round(p.edge, 3), round(p.edge_max, 2), round(p.width, 3)
    (3.156, 12.96, 2.16)
    """
    s, margin = _positive("s", s), _positive("margin", margin)
    reach = math.sqrt(1 + margin / s)
    edge = 1 + min(1.0, s / margin)
    if margin < s:
        inner = np.logaddexp(0.0, -margin) - np.logaddexp(0.0, -s)
        edge += float(inner) / (margin * _plain(-margin))
    steepest = 2 * s * reach / margin
    return Profile(edge=edge, edge_max=steepest, stretch=reach * edge, stretch_max=reach * steepest,
                   width=2 * reach, peak=1.0, moment=reach**2 / 2, moment_max=reach)


@dataclass(frozen=True)
class RectangleConstants:
    r"""Lipschitz constants of the mean change of the map in the outputs of a head.

    Args:
        center, half_width, angle: :math:`L_\mu, L_\sigma, L_\alpha`, for Euclidean distances of the
            two numbers each of centre and half-widths.
        euclidean: in all five together.
    """

    center: float
    half_width: float
    angle: float
    euclidean: float

    @property
    def weighted(self) -> float:
        r""":math:`(\sqrt2L_\mu+\sqrt2L_\sigma+L_\alpha)/\sqrt5`: what replaces L where the five outputs
        are measured in the best units.

        Contraction with output k in units of 1/c_k has :math:`L_c\sqrt{\sum c_k^2}` in the place of
        :math:`L\sqrt5`; by Cauchy's inequality the best c is this, and never above L
        (:func:`theory.bounds.contraction.contraction_complexity` then takes it for L).
        """
        whole = DIAMETER * (self.center + self.half_width) + self.angle
        return min(self.euclidean, whole / math.sqrt(5))

    def raw(
        self, center: float = 0.5, half_width: float = 1.01, angle: float = 1.0
    ) -> RectangleConstants:
        """The constants in the raw outputs, whose ranges are cut by functions of these slopes.

        The defaults are those of a head with centres inside the image, floored half-widths and a
        plain angle.
        """
        parts = (center * self.center, half_width * self.half_width, angle * self.angle)
        whole = min(math.hypot(*parts), max(center, half_width, angle) * self.euclidean)
        return RectangleConstants(*parts, whole)


def rectangle_constants(
    height: int, width: int, s: float, least: float, most: float = math.inf,
    margin: float | None = None,
) -> RectangleConstants:
    r"""The constants of the soft map, or with a ``margin`` of the ramp loss on its logit.

    Args:
        height, width: H and W, at least 2.
        s: scale factor of Eq. 1.
        least, most: range of the half-widths, in units of the grid's side (Eq. 5).
        margin: None, or :math:`\gamma > 0`.

    Raises:
        ValueError: sides below 2, a range that is empty or not positive, s or margin not positive.

    >>> c = rectangle_constants(16, 16, 6.0, 0.05)
    >>> round(c.center, 1), round(c.half_width, 1), round(c.angle, 1)
    (10.2, 10.3, 9.7)
    >>> rectangle_constants(16, 16, 6.0, 0.1, 0.1).center < 2
    True
    """
    for name, side in (("H", height), ("W", width)):
        if int(side) != side or side < 2:
            raise ValueError(f"{name} must be an integer >= 2, got {side}")
    if not 0 < least <= most or not math.isfinite(least):
        raise ValueError(f"half-widths need 0 < least <= most, got [{least}, {most}]")
    profile = soft_profile(s) if margin is None else margin_profile(s, margin)
    sums = _sums(profile, int(height), int(width), *_cells(least, most))
    center, stretch, angle = (np.asarray(v) for v in sums)
    squares = center**2 + center.T**2, stretch**2 + stretch.T**2, (angle + angle.T) ** 2
    best = [math.sqrt(float(v.max())) * SAFE for v in (*squares, sum(squares))]
    return RectangleConstants(*best)


def lattice_count(first: Any, second: Any, height: int, width: int) -> Any:
    r"""Points of the grid of Eq. 5 in any turned box of sides ``first`` and ``second``, at most.

    :math:`\frac{\ell_1\ell_2}{h_1h_2}+\frac{\ell_1+\ell_2}{\min h}+1`, on square grids
    :math:`(\ell_1/h+1)(\ell_2/h+1)`  [Nosarzewska 1948, for convex sets].  Proof: the convex hull of
    the lattice points in the box is a lattice polygon of area A with b lattice points on its boundary;
    they are at least 1 apart, so b is at most the perimeter, which is at most the box's; by Pick's
    theorem there are A + b/2 + 1.

    >>> float(lattice_count(0.5, 0.0, 5, 5))
    3.0
    """
    one = np.ones(())
    return _product((float64(first), one), (float64(second), one), height, width)[()]


def gradients(
    rectangles: Any, height: int, width: int, s: float, margin: float | None = None
) -> np.ndarray:
    r"""Derivatives of the map at every cell by the five outputs, ``(..., 5, n)``; exact.

    With a ``margin`` those of the cut logit, :math:`\max(-\gamma,\min(\gamma,z))/\gamma`.

    Args:
        rectangles: ``(..., 5)``, centre, half-widths, angle.
    """
    p, s = float64(rectangles), _positive("s", s)
    points = grid(height, width)
    d = points.reshape(-1, 2) - p[..., None, 0:2]
    cos, sin = np.cos(p[..., 4:5]), np.sin(p[..., 4:5])
    first, second = cos * d[..., 0] + sin * d[..., 1], cos * d[..., 1] - sin * d[..., 0]
    x, y = first / p[..., 2:3], second / p[..., 3:4]
    wx, not_x = _sigmoid(s * (1 - x * x)), _sigmoid(s * (x * x - 1))
    wy, not_y = _sigmoid(s * (1 - y * y)), _sigmoid(s * (y * y - 1))
    scale = wx * wy
    if margin is not None:
        z = logit_soft_rectangle(Rectangle.from_array(p), points, s).reshape(scale.shape)
        inside = np.abs(z) < _positive("margin", margin)
        scale = inside / (margin * np.maximum(not_x + wx * not_y, np.finfo(float).tiny))
    by_x, by_y = -2 * s * x * not_x * scale / p[..., 2:3], -2 * s * y * not_y * scale / p[..., 3:4]
    parts = [sin * by_y - cos * by_x, -sin * by_x - cos * by_y, -x * by_x, -y * by_y,
             second * by_x - first * by_y]
    return np.stack(parts, axis=-2)


def steepest(gradient: np.ndarray, steps: int = 30) -> np.ndarray:
    r""":math:`\max_a|\frac1n\sum_ta_t\nabla f(t)|` over signs a, from below, ``(...)``.

    That is the largest mean change of the map in one direction, by alternating the best signs for a
    direction and the best direction for the signs, from the five axes; a lower bound on every
    Euclidean Lipschitz constant.
    """
    g = float64(gradient)
    best = np.zeros(g.shape[:-2])
    for axis in range(g.shape[-2]):
        direction = np.zeros(g.shape[:-1])
        direction[..., axis] = 1.0
        for _ in range(steps):
            signs = np.sign(np.einsum("...k,...kt->...t", direction, g))
            pushed = np.einsum("...t,...kt->...k", signs, g) / g.shape[-1]
            length = np.linalg.norm(pushed, axis=-1)
            direction = pushed / np.maximum(length, 1e-300)[..., None]
        best = np.maximum(best, length)
    return best


def _cells(least: float, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of cells that cover the range, 1 % wide; the last may be unbounded."""
    top = max(least, min(most, FAR))
    count = max(1, math.ceil(math.log(top / least) / 0.01))
    ends = least * (top / least) ** (np.arange(count + 1) / count)
    ends[0], ends[-1] = least, top
    if most > top:
        ends = np.append(ends, most)
    return ends[:-1], ends[1:]


def _sums(profile: Profile, height: int, width: int, low: np.ndarray, high: np.ndarray) -> Any:
    """Bounds on the mean derivatives by X, by the first half-width and (one part) by the angle,
    ``(cells of the first half-width, cells of the second)``.

    What belongs to the edge falls with the half-width across it, what belongs to the width grows with
    the one along it: the ends of the cells are the worst.
    """
    across, along = low[:, None], high[None, :]

    def humps(integral: float, largest: float) -> Pair:
        return np.minimum(2 * integral, DIAMETER * largest / across), 2 * largest / across

    edge = humps(profile.edge, profile.edge_max)
    stretch = humps(profile.stretch, profile.stretch_max)
    width_pair = (np.minimum(along * profile.width, DIAMETER * profile.peak),
                  np.full_like(along, profile.peak))
    moment = (np.minimum(2 * along**2 * profile.moment, profile.peak),
              np.minimum(2 * along * profile.moment_max, DIAMETER * profile.peak))
    n = height * width

    def both(pair: Pair) -> np.ndarray:
        return np.minimum(_product(pair, width_pair, height, width),
                          profile.peak * _lines(pair, height, width)) / n

    return both(edge), both(stretch), _product(edge, moment, height, width) / n


def _product(a: Pair, b: Pair, height: int, width: int) -> np.ndarray:
    r"""Bound on :math:`\sum_tA(X_t)B(Y_t)` over the grid; A, B as (integral, maximum)."""
    inverse, finer = (height - 1) * (width - 1), max(height, width) - 1
    return a[0] * b[0] * inverse + (a[0] * b[1] + a[1] * b[0]) * finer + a[1] * b[1]


def _lines(a: Pair, height: int, width: int) -> np.ndarray:
    """Bound on the sum of A(X_t) line by line, along the axis of the grid nearer to X."""
    return np.maximum(width * (DIAMETER * a[0] * (height - 1) + a[1]),
                      height * (DIAMETER * a[0] * (width - 1) + a[1]))


def _largest_slope(s: float, power: int) -> float:
    r"""Above :math:`\max_x2sx^k\Lambda'(s(1-x^2))`; the derivative's sign changes once, at x > 1."""
    low, high = _crossing(lambda x: 2 * s * x * x * math.tanh(s * (x * x - 1) / 2) - power, 1.0)
    u = s * (1 - low * low)
    return 2 * s * high**power * _plain(u) * _plain(-u) * SAFE


def _largest_moment(s: float) -> float:
    r"""Above :math:`\max_yy\Lambda(s(1-y^2))`; the derivative's sign changes once."""
    low, high = _crossing(lambda y: 2 * s * y * y * _plain(s * (y * y - 1)) - 1, 0.0)
    return high * _plain(s * (1 - low * low)) * SAFE


def _crossing(rising: Callable[[float], float], low: float) -> tuple[float, float]:
    """A bracket of the zero of a rising function that is not positive at ``low``."""
    high = low + 1.0
    while rising(high) < 0:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return low, high


def _sigmoid(z: Any) -> Any:
    return np.exp(-np.logaddexp(0.0, -z))


def _plain(z: float) -> float:
    return float(_sigmoid(z))


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return float(value)
