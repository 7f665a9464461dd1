r"""Rectangles, the window function, soft and hard rectangles on a grid  [Eqs. 1-5, App. A]."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from theory.arrays import (
    Array,
    DivisionUndefined,
    as_arrays,
    first_bad,
    is_array,
    is_floating,
    namespace,
)


@dataclass(frozen=True, eq=False)
class Rectangle:
    r"""The five parameters :math:`(\mu, \sigma, \alpha)` of a rectangle  [section 4.1].

    Args:
        center: :math:`\mu`, shape ``(..., 2)``.
        half_widths: :math:`\sigma > 0`, shape ``(..., 2)``.
        angle: :math:`\alpha`, shape ``(...)``, radians.

    Convention:
        This block is the only place where axes, units and orientation are stated.

        * Axis 1 is the vertical image axis (rows, downwards), axis 2 the horizontal one (columns,
          to the right): a point is ``(t1, t2)`` = (row, column).
        * Units are those of the points given.  The grid of Eq. 5 (:func:`grid`) puts the CENTRES of
          the first and last cell at 0 and 1 of each axis.  Mask families use pixel units, where
          the centre of cell (i, j) is the point (i, j), counted from 0.
        * ``half_widths`` are half of the side lengths.  (The paper calls sigma "height" and
          "width"; its Eq. 1 makes them half-widths.)
        * ``angle`` turns axis 1 towards axis 2: :math:`R_\alpha = [[\cos, -\sin], [\sin, \cos]]`
          acts on ``(t1, t2)`` as in Eq. 3, about the rectangle's own centre.
        * The hard rectangle is closed: a point on the boundary is inside.
        * Off square grids a rotation in the coordinates of Eq. 5 is none in pixel units, and the
          hard rectangle is a parallelogram there (:class:`theory.families.Parallelograms`).

    Raises:
        ValueError: NaN or infinite parameters, half-widths that are not positive, shapes.

    >>> r = Rectangle(center=[0.5, 0.5], half_widths=[0.2, 0.3], angle=0.0)
    >>> r.to_array()
    array([0.5, 0.5, 0.2, 0.3, 0. ])
    """

    center: Array
    half_widths: Array
    angle: Array

    def __post_init__(self) -> None:
        given = (self.center, self.half_widths, self.angle)
        xp, center, half_widths, angle = as_arrays(*given, check_finite=False)
        fields = {"center": center, "half_widths": half_widths, "angle": angle}
        dtype = _floating_dtype(xp, given, fields.values())
        for (name, value), original in zip(fields.items(), given, strict=True):
            if not is_floating(xp, value) or not is_array(original):  # numbers follow the arrays
                fields[name] = value = xp.astype(value, dtype)
            good = xp.isfinite(value)
            if not bool(xp.all(good)):
                raise ValueError(f"{name} must be finite, got {first_bad(xp, value, good)}")
            if name != "angle" and (value.ndim == 0 or value.shape[-1] != 2):
                raise ValueError(f"{name} must have shape (..., 2), got {tuple(value.shape)}")
        good = fields["half_widths"] > 0
        if not bool(xp.all(good)):
            bad = first_bad(xp, fields["half_widths"], good)
            raise ValueError(f"half_widths must be positive, got {bad}")
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_array(cls, parameters: Array) -> Rectangle:
        """From the five numbers ``(mu1, mu2, sigma1, sigma2, alpha)``, shape ``(..., 5)``."""
        _, p = as_arrays(parameters, check_finite=False)
        if p.ndim == 0 or p.shape[-1] != 5:
            raise ValueError(f"a rectangle has 5 parameters (..., 5), got shape {tuple(p.shape)}")
        return cls(p[..., 0:2], p[..., 2:4], p[..., 4])

    @classmethod
    def unchecked(cls, center: Array, half_widths: Array, angle: Array) -> Rectangle:
        """Of arrays of one library and floating dtype, taken as they are.

        For graphs (``torch.func``, ``torch.compile``, export), where checks of values cannot run.
        """
        out = object.__new__(cls)
        fields = {"center": center, "half_widths": half_widths, "angle": angle}
        for name, value in fields.items():
            object.__setattr__(out, name, value)
        return out

    def to_array(self) -> Array:
        """The five numbers ``(mu1, mu2, sigma1, sigma2, alpha)``, shape ``(..., 5)``."""
        xp = namespace(self.center)
        batch = _broadcast(self.center.shape[:-1], self.half_widths.shape[:-1], self.angle.shape)
        parts = [
            xp.broadcast_to(self.center, (*batch, 2)),
            xp.broadcast_to(self.half_widths, (*batch, 2)),
            xp.broadcast_to(self.angle, batch)[..., None],
        ]
        return xp.concat(parts, axis=-1)


def window(t: Array, t0: Array, sigma: Array, s: float) -> Array:
    r"""Window :math:`\hat\Lambda_{s,t_0,\sigma}(t) = \Lambda(s(1-((t-t_0)/\sigma)^2))`  [Eq. 1].

    :math:`\Lambda` is the logistic sigmoid, sigma the HALF-width.  The value is 1/2 at
    ``t0 +- sigma`` whatever s, and the peak is ``sigmoid(s) < 1``.

    Raises:
        ValueError: sigma or s that is not positive, NaN or infinity.

    >>> float(window(1.0, 0.0, 1.0, s=10.0))
    0.5
    """
    xp, t, t0, sigma = as_arrays(t, t0, sigma)
    good = sigma > 0
    if not bool(xp.all(good)):
        raise ValueError(f"sigma must be positive, got {first_bad(xp, sigma, good)}")
    s = _scale_factor(s)
    return xp.exp(log_sigmoid(s * (1 - ((t - t0) / sigma) ** 2)))


def soft_rectangle(rectangle: Rectangle, points: Array, s: float) -> Array:
    r""":math:`\hat\Lambda_{s,\mu,\sigma,\alpha}(t) = \hat\Lambda^0(R_{-\alpha}(t))`  [Eqs. 2-4].

    Args:
        rectangle: batch ``(...)``.
        points: ``(*P, 2)``, in the rectangle's units.
        s: scale factor, positive and finite.

    Returns:
        ``(..., *P)``, values in (0, sigmoid(s)^2].
    """
    xp = namespace(rectangle.center)
    return xp.exp(log_soft_rectangle(rectangle, points, s))


def log_soft_rectangle(rectangle: Rectangle, points: Array, s: float) -> Array:
    """The logarithm of :func:`soft_rectangle`, finite where the map itself underflows."""
    first, second = window_logits(rectangle, points, s)
    return log_sigmoid(first) + log_sigmoid(second)


def logit_soft_rectangle(rectangle: Rectangle, points: Array, s: float) -> Array:
    r"""``log(f / (1 - f))`` of the soft rectangle f, stable near 0 and near 1.

    With window logits u, v: ``1 - f = (1-L(u)) + L(u)(1-L(v))``, summed on the log scale.
    """
    xp = namespace(rectangle.center)
    u, v = window_logits(rectangle, points, s)
    log_f = log_sigmoid(u) + log_sigmoid(v)
    a, b = log_sigmoid(-u), log_sigmoid(u) + log_sigmoid(-v)
    log_not_f = xp.maximum(a, b) + xp.log1p(xp.exp(-xp.abs(a - b)))
    return log_f - log_not_f


def hard_rectangle(rectangle: Rectangle, points: Array, tolerance: float = 1e-9) -> Array:
    """The mask of the closed rectangle: +1 where a point lies inside, -1 elsewhere; int8.

    ``tolerance`` (relative to the squared half-width) keeps boundary points inside under rounding.
    Shapes as :func:`soft_rectangle`.
    """
    xp = namespace(rectangle.center)
    first, second = _local_squares(rectangle, points)
    edge = 1 + max(tolerance, 4 * float(xp.finfo(first.dtype).eps))
    inside = (first <= edge) & (second <= edge)
    return 2 * xp.astype(inside, xp.int8) - 1


def grid(height: int, width: int, *, like: Array | None = None, unit: bool = True) -> Array:
    r"""Positions of the cells, shape ``(H, W, 2)``  [Eq. 5].

    Cell (i, j), counted from 1, sits at :math:`((i-1)/(H-1), (j-1)/(W-1))`.  With ``unit=False``
    the points are in pixel units: ``(i-1, j-1)``.

    Args:
        like: an array whose library, device and floating dtype to use (default NumPy float64).

    Raises:
        ValueError: H = 1 or W = 1, where Eq. 5 divides by zero (``unit=False`` accepts them).
    """
    for name, n in (("H", height), ("W", width)):
        if int(n) != n or n < 1:
            raise ValueError(f"{name} must be a positive integer, got {n}")
        if unit and n == 1:
            raise DivisionUndefined(f"Eq. 5 needs H >= 2 and W >= 2 (it divides by {name} - 1), got 1")
    xp = namespace(like)
    kwargs: dict[str, Any] = {"dtype": xp.float64}
    if like is not None:
        import array_api_compat

        kwargs["device"] = array_api_compat.device(like)
        if is_floating(xp, like):
            kwargs["dtype"] = like.dtype
    rows, columns = xp.arange(height, **kwargs), xp.arange(width, **kwargs)
    if unit:
        rows, columns = rows / (height - 1), columns / (width - 1)
    first = xp.broadcast_to(rows[:, None], (height, width))
    second = xp.broadcast_to(columns[None, :], (height, width))
    return xp.stack([first, second], axis=-1)


def attention_map(rectangle: Rectangle, height: int, width: int, s: float) -> Array:
    r"""Attention map :math:`f(x)_{ij}`  [Eq. 5]: the soft rectangle on the grid, ``(..., H, W)``.

    >>> r = Rectangle([0.5, 0.5], [0.3, 0.3], 0.0)
    >>> attention_map(r, 3, 3, s=6.0).shape
    (3, 3)
    """
    points = grid(height, width, like=rectangle.center)
    return soft_rectangle(rectangle, points, s)


def hard_mask(rectangle: Rectangle, height: int, width: int) -> Array:
    """The hard version of Eq. 5: the mask of the closed rectangle on the grid, ``(..., H, W)``.

    On square grids a member of ``RotatedRectangles``, else of ``Parallelograms`` (or empty).

    >>> int((hard_mask(Rectangle([0.5, 0.5], [0.3, 0.3], 0.0), 5, 5) == 1).sum())
    9
    """
    points = grid(height, width, like=rectangle.center)
    return hard_rectangle(rectangle, points)


def image_to_grid(u: Array, image_size: int, grid_size: int, stride: int) -> Array:
    r"""Unit coordinate of an image point on the feature grid, along one axis.

    :math:`u_{feat}-\frac12=(u_{img}-\frac12)\,(n_{img}-1)/(\mathrm{stride}\,(n_{feat}-1))`: both
    grids put cell centres on [0, 1] (Eq. 5), and the centres of image and grid coincide.
    """
    if grid_size < 2 or image_size < 2:
        raise ValueError(f"Eq. 5 needs at least 2 cells, got {grid_size} and {image_size}")
    return (u - 0.5) * ((image_size - 1) / (stride * (grid_size - 1))) + 0.5


def grid_to_image(u: Array, image_size: int, grid_size: int, stride: int) -> Array:
    """The inverse of :func:`image_to_grid`."""
    if grid_size < 2 or image_size < 2:
        raise ValueError(f"Eq. 5 needs at least 2 cells, got {grid_size} and {image_size}")
    return (u - 0.5) * (stride * (grid_size - 1) / (image_size - 1)) + 0.5


def log_sigmoid(z: Array) -> Array:
    """``log(1 / (1 + exp(-z)))`` without overflow."""
    xp = namespace(z)
    return xp.where(z < 0, z, xp.zeros_like(z)) - xp.log1p(xp.exp(-xp.abs(z)))


def rotation(angle: Array) -> tuple[Array, Array]:
    """``(cos, sin)`` of the rotation of Eq. 3."""
    xp = namespace(angle)
    return xp.cos(angle), xp.sin(angle)


def _local_squares(rectangle: Rectangle, points: Array) -> tuple[Array, Array]:
    """``((t1-mu1)/sigma1)^2, ((t2-mu2)/sigma2)^2`` after ``R_{-alpha}``; ``(..., *P)``."""
    xp, points, center, half, angle = as_arrays(
        points, rectangle.center, rectangle.half_widths, rectangle.angle, check_finite=False
    )
    if points.ndim == 0 or points.shape[-1] != 2:
        raise ValueError(f"points must have shape (..., 2), got {tuple(points.shape)}")
    extra = (None,) * (points.ndim - 1)
    d1 = points[..., 0] - center[..., 0][(..., *extra)]
    d2 = points[..., 1] - center[..., 1][(..., *extra)]
    cos, sin = rotation(angle)
    cos, sin = cos[(..., *extra)], sin[(..., *extra)]
    first = (cos * d1 + sin * d2) / half[..., 0][(..., *extra)]
    second = (-sin * d1 + cos * d2) / half[..., 1][(..., *extra)]
    return first**2, second**2


def window_logits(rectangle: Rectangle, points: Array, s: float) -> tuple[Array, Array]:
    r"""What the sigmoids of the two windows are taken of: :math:`s(1-(t_k/\sigma_k)^2)`  [Eqs. 2-4].

    Shapes as :func:`soft_rectangle`.
    """
    s = _scale_factor(s)
    first, second = _local_squares(rectangle, points)
    return s * (1 - first), s * (1 - second)


def _scale_factor(s: float) -> float:
    """s, checked; NumPy scalars become floats, which do not widen float32 arrays."""
    if not (s > 0 and s < math.inf):
        raise ValueError(f"s must be positive and finite, got {s}")
    return s if hasattr(s, "requires_grad") else float(s)


def _floating_dtype(xp: Any, given: Any, arrays: Any) -> Any:
    """The dtype of the first floating array among ``given``; float64 when there is none."""
    for original, value in zip(given, arrays, strict=True):
        if is_array(original) and is_floating(xp, value):
            return value.dtype
    return xp.float64


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    import numpy as np

    return tuple(np.broadcast_shapes(*(tuple(shape) for shape in shapes)))
