r"""Rademacher bounds for linear heads of bounded norm: five outputs against one output a cell.

A head gives ``M phi(x) + b`` from features that do not depend on the sample (b and the trunk fixed or
trained on other data); W bounds the weights' norm, B is the root of the mean of |phi|^2 over the
sample (over sample and cells where cells have features of their own).  Losses lie in [0, 1].

* **Rectangle.**  The loss is L-Lipschitz in K outputs, so vector contraction gives
  :math:`\hat{\mathcal R}_S\le\sqrt{\pi/2}\,LWB\sqrt{K/N}` (:func:`contraction_complexity`).
* **Position-wise.**  The loss is a mean over the cells, of slope l in each cell's logit.  With weights
  of their own the cells separate: the complexity is exactly the mean of the cells' complexities.
  :math:`\hat{\mathcal R}_S\le lWB/\sqrt N` with W the root mean square of the cells' norms, or the norm
  of one vector shared by all cells (:func:`cellwise_complexity`).  The number of cells is not in it,
  and l = 1/4 cannot be improved (small W).

The proofs are in ``docs/bounds.md``, each step is a claim of the ledger.  A bias that is
trained is a weight of a feature that is 1.  W is chosen before the data, or from a grid that is paid
for (:func:`norm_on_grid`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions, Bound
from theory.bounds.checks import check_nats, check_range, check_samples, float64
from theory.bounds.lipschitz import rectangle_constants

MAURER = math.sqrt(2)
r"""The factor of Maurer 2016, where the class on the right is taken with Rademacher signs."""

GAUSSIAN = math.sqrt(math.pi / 2)
r"""The factor where the right side is taken with Gaussians instead; for linear heads of bounded norm
both right sides have the same bound, so this is the smaller one."""

SIGMOID_SLOPE = 0.25
"""Slope of the soft missing rate of one cell in its logit."""

MOST_SIGNS = 16  # 2^16 sign vectors are enumerated at most


def contraction_complexity(
    lipschitz: Any, weight_norm: Any, feature_norm: Any, outputs: Any, n_samples: Any,
    factor: float = GAUSSIAN,
) -> Any:
    r""":math:`\hat{\mathcal R}_S\le\sqrt{\pi/2}\,LWB\sqrt{K/N}` for :math:`\|M\|_F\le W`.

    :math:`E\sup\sum_i\varepsilon_ih_i(f(x_i))\le\sqrt{\pi/2}\,E\sup\sum_ig_ih_i(f(x_i))` (Jensen, as
    :math:`E|g|=\sqrt{2/\pi}`) :math:`\le\sqrt{\pi/2}\,L\,E\sup\sum_{ik}g_{ik}f_k(x_i)` (Sudakov and
    Fernique: the increments of the second process are the larger), and the last is
    :math:`W\,E\|\sum_ig_i\phi(x_i)^\top\|_F\le W\sqrt{K\sum_i|\phi(x_i)|^2}`.  With ``MAURER`` for the
    factor it is the inequality of Maurer 2016, sqrt(2) and Rademacher signs throughout.

    Args:
        lipschitz: L, Euclidean, of the loss in the outputs.
        weight_norm: W, of all weights together (Frobenius).
        feature_norm: B (:func:`feature_norm`).
        outputs: K.
        n_samples: N.
        factor: at least ``GAUSSIAN``.

    >>> round(float(contraction_complexity(1.0, 1.0, 1.0, 5, 500)), 4)
    0.1253
    """
    if not factor >= GAUSSIAN:
        raise ValueError(f"the factor must be at least sqrt(pi / 2) = {GAUSSIAN:.4f}, got {factor}")
    outputs = float64(outputs)
    if not np.all((outputs >= 1) & (outputs == np.round(outputs))):
        raise ValueError(f"the number of outputs must be a positive integer, got {outputs}")
    return factor * _size(lipschitz, weight_norm, feature_norm, n_samples) * np.sqrt(outputs)[()]


def contraction_complexity_rows(
    lipschitz: Any, weight_norms: Any, feature_norm: Any, n_samples: Any
) -> Any:
    r"""The same for outputs whose weights are bounded one by one:
    :math:`\sqrt{\pi/2}\,\frac{B}{\sqrt N}\bigl(\sum_k(L_kW_k)^{2/3}\bigr)^{3/2}`.

    With output k in units of 1/c_k the bound is :math:`\sqrt{\sum(L_k/c_k)^2}\sum c_kW_k`, smallest at
    :math:`c_kW_k=(L_kW_k)^{2/3}`.

    Args:
        lipschitz: L_k of each output with the others fixed, ``(..., K)``.
        weight_norms: W_k, ``(..., K)``.

    >>> round(float(contraction_complexity_rows([1.0, 1.0], [1.0, 1.0], 1.0, 800)), 4)
    0.1253
    """
    products = check_nats("lipschitz", lipschitz) * check_nats("weight_norm", weight_norms)
    whole = np.sum(products ** (2 / 3), axis=-1) ** 1.5
    return GAUSSIAN * _size(whole, 1.0, feature_norm, n_samples)


def cellwise_complexity(slope: Any, weight_norm: Any, feature_norm: Any, n_samples: Any) -> Any:
    r""":math:`\hat{\mathcal R}_S\le lWB/\sqrt N` for the mean of cells' losses of slope l.

    For cells with weights w_t of their own, W is the root mean square of the |w_t|; a bound W_F on
    the norm of all weights is :math:`W=W_F/\sqrt n`.  Proof: for any :math:`\lambda>0` the supremum is
    at most :math:`\lambda nW^2/2+\sum_t\sup_w[\frac1n\sum_i\varepsilon_i\ell_{it}(\langle w,\phi_{it}
    \rangle)-\lambda|w|^2/2]`; contraction beside a term without signs (Meir and Zhang 2003) replaces
    :math:`\ell_{it}` by l times its argument, the supremum is then a square, and the best lambda
    gives the bound.  For one w shared by all cells: the mean of the cells' suprema is no smaller than
    the supremum of the mean.

    Args:
        slope: l, 1/4 for the soft missing rate (``SIGMOID_SLOPE``), 1/margin for the ramp.

    >>> float(cellwise_complexity(SIGMOID_SLOPE, 1.0, 1.0, 100))
    0.025
    """
    return _size(slope, weight_norm, feature_norm, n_samples)


def feature_norm(features: Any) -> Any:
    r"""B, the root of the mean of :math:`|\phi|^2` over all but the last axis, ``(N, ..., d)``.

    >>> float(feature_norm([[3.0, 4.0], [0.0, 5.0]]))
    5.0
    """
    values = float64(features)
    if values.ndim < 2 or values.size == 0:
        raise ValueError(f"features must have shape (N, ..., d), got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("features must be finite, got NaN or infinity")
    return np.sqrt(np.mean(np.sum(values**2, axis=-1)))[()]


def norm_on_grid(norm: Any, base: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    r"""The next larger of :math:`base\cdot2^j`, j any integer, and the nats that choosing it costs.

    A bound at level :math:`\delta e^{-nats_j}` for each j holds for all j at once at level delta, since
    :math:`\sum_je^{-nats_j}=1` for :math:`nats_j=2\log(1+|j|)+\log(\pi^2/3-1)`.

    >>> [float(v) for v in norm_on_grid(3.0)][0]
    4.0
    """
    norm = float64(norm)
    if not np.all((norm > 0) & np.isfinite(norm)) or not 0 < base < math.inf:
        raise ValueError(f"norm and base must be positive and finite, got {norm}, {base}")
    power = np.ceil(np.log2(norm / base))
    power = power + (base * 2.0**power < norm)
    nats = 2 * np.log1p(np.abs(power)) + math.log(math.pi**2 / 3 - 1)
    return base * 2.0**power, nats


def ramp_missing_rate(logits: Any, targets: Any, margin: float) -> Any:
    r"""Mean over the cells of the ramp :math:`\min(1,\max(0,1-a_tz_t/\gamma))`, ``(...)``.

    Cell by cell it is at least 1 where the mask :math:`\{z\ge0\}` = {f >= 1/2} misses the target, so it
    lies above the hard missing rate; its slope in z is 1/margin.

    Args:
        logits: ``(..., H, W)`` (:func:`theory.rectangle.logit_soft_rectangle`).
        targets: masks ``(..., H, W)``, -1 and +1.

    >>> float(ramp_missing_rate([[2.0, -0.5]], [[1, 1]], 1.0))
    0.5
    """
    if not 0 < margin < math.inf:
        raise ValueError(f"margin must be positive and finite, got {margin}")
    logits, targets = float64(logits), float64(targets)
    if not np.isin(targets, (-1, 1)).all():
        raise ValueError("targets must be masks of -1 and +1, got other values")
    if np.isnan(logits).any():
        raise ValueError("logits must be numbers, got NaN")
    return np.mean(np.clip(1 - targets * logits / margin, 0, 1), axis=(-2, -1))[()]


def small_weights_complexity(gradients: Any, features: Any) -> float:
    r""":math:`\lim_{W\to0}\hat{\mathcal R}_S/W=\frac1NE\|\sum_i\varepsilon_ig_i\phi_i^\top\|_F`, exact.

    For heads with :math:`\|M\|_F\le W` whose loss has the gradient g_i in the outputs at M = 0:
    what no bound can beat.

    Args:
        gradients: ``(N, K)``.
        features: ``(N, d)``, or ``(N, K, d)`` where each output has its own.

    Raises:
        ValueError: shapes; N above 16, where all signs are too many.

    >>> small_weights_complexity([[3.0, 4.0]], [[2.0]])
    10.0
    """
    g, phi = float64(gradients), float64(features)
    if g.ndim != 2 or phi.ndim not in (2, 3) or len(phi) != len(g) or len(g) < 1:
        raise ValueError(f"gradients (N, K) and features (N, [K,] d), got {g.shape}, {phi.shape}")
    outer = g[:, :, None] * (phi[:, None, :] if phi.ndim == 2 else phi)
    flat = outer.reshape(len(g), -1)
    gram = flat @ flat.T
    e = signs_of(len(g))
    squares = np.einsum("ei,ij,ej->e", e, gram, e, optimize=True)
    return float(np.mean(np.sqrt(np.maximum(squares, 0)))) / len(g)


def signs_of(count: int) -> np.ndarray:
    """All sign vectors, ``(2^count, count)``.

    >>> signs_of(1).tolist()
    [[-1.0], [1.0]]
    """
    if count > MOST_SIGNS:
        raise ValueError(f"N must be at most {MOST_SIGNS} to go through all signs, got {count}")
    return np.array(list(product((-1.0, 1.0), repeat=count)))


def cellwise_from_below(
    features: Any, targets: Any, biases: Any, weight_norm: float, *, shared: bool = False,
    steps: int = 4,
) -> float:
    """A lower bound on the complexity of the position-wise heads of :func:`cellwise_complexity`.

    The soft missing rate of ``sigmoid(<w_t, phi> + b_t)``; for every sign vector the supremum by ascent
    over weights on the sphere, whose first step is the best one for small weights.

    Args:
        features: ``(N, d)``, the same for all cells.
        targets, biases: ``(N, n)`` of -1 and +1, and ``(n,)``.
        weight_norm: root mean square of the cells' norms, or norm of the shared vector.

    >>> round(cellwise_from_below([[2.0]], [[1.0]], [0.0], 1.0), 4)  # tanh(1) / 2
    0.3808
    """
    x, a, bias = float64(features), float64(targets), float64(biases)
    e, best = signs_of(len(x)), -np.inf
    w = np.zeros((len(e), a.shape[1], x.shape[1]))
    for _ in range(steps):
        z = np.einsum("id,etd->eit", x, w) + bias
        w = np.einsum("ei,eit,id->etd", e, -a / (4 * np.cosh(z / 2) ** 2), x)
        if shared:
            w = np.broadcast_to(w.mean(axis=1, keepdims=True), w.shape)
        size = np.sqrt(np.mean(np.sum(w**2, axis=-1), axis=-1))[:, None, None]
        w = w * weight_norm / np.maximum(size, 1e-300)
        z = np.einsum("id,etd->eit", x, w) + bias
        losses = (0.5 - a * np.tanh(z / 2) / 2).mean(axis=-1)
        best = np.maximum(best, (e @ losses.T).max(axis=1))
    return float(np.mean(best)) / len(x)


def complexity_constants(
    height: int, width: int, s: float, least: float, most: float = math.inf,
    margin: float | None = None,
) -> dict[str, float]:
    r"""C in :math:`\hat{\mathcal R}_S\le C\,WB/\sqrt N` for each kind of head and norm.

    Keys: ``rectangle`` (W of all weights), ``rectangle_rows`` (root mean square of the five outputs'
    norms), ``cellwise`` (the same of the cells'; also the norm of a shared vector), ``cellwise_all``
    (W of all weights), and by vector contraction ``cellwise_rows_contracted``, ``shared_contracted``
    and ``cellwise_all_contracted``.

    >>> c = complexity_constants(16, 16, 6.0, 0.05)
    >>> c["cellwise"], c["cellwise_all"], round(c["cellwise_rows_contracted"], 3)
    (0.25, 0.015625, 5.013)
    """
    effective = rectangle_constants(height, width, s, least, most, margin).weighted
    slope, cells = SIGMOID_SLOPE if margin is None else 1 / margin, height * width
    whole = float(contraction_complexity(effective, 1.0, 1.0, 5, 1))
    contracted = float(contraction_complexity(slope / math.sqrt(cells), 1.0, 1.0, cells, 1))
    return {
        "rectangle": whole, "rectangle_rows": whole * math.sqrt(5),
        "cellwise": slope, "cellwise_all": slope / math.sqrt(cells),
        "cellwise_rows_contracted": contracted * math.sqrt(cells),
        "shared_contracted": contracted, "cellwise_all_contracted": contracted,
    }


class _Rademacher(Bound):
    """What both bounds share: Theorem 3 with a bound on the complexity, in stages."""

    def _stages(
        self, empirical: Any, complexity: Any, n_samples: Any, nats: Any
    ) -> dict[str, np.ndarray]:
        empirical = check_range("empirical loss", empirical, 0, 1)
        complexity = np.minimum(complexity, 0.5)  # of losses in [0, 1]
        n_samples, nats = check_samples(n_samples), check_nats("norm_choices", nats)
        before = empirical + 2 * complexity
        free = 3 * np.sqrt(nats / (2 * n_samples))
        whole = 3 * np.sqrt((math.log(2 / self.delta) + nats) / (2 * n_samples))
        return {"empirical": empirical, "complexity": before, "norm choice": before + free,
                "confidence": before + whole}


@dataclass(frozen=True)
class Contraction(_Rademacher):
    r"""Theorem 3 for a head of K outputs, by vector contraction.

    For the soft missing rate or the ramp loss of a rectangle head (:mod:`theory.bounds.lipschitz`);
    ``empirical`` is that loss on the sample, never the hard missing rate.
    """

    factor: float = GAUSSIAN

    name: ClassVar[str] = "contraction"
    title: ClassVar[str] = "Rademacher, vector contraction"
    statement: ClassVar[str] = (
        r"R\le\hat R+2\sqrt{\tfrac{\pi}{2}}\,LWB\sqrt{\tfrac{K}{N}}"
        r"+3\sqrt{\tfrac{\log(2/\delta)}{2N}}")
    source: ClassVar[str] = ("Theorem 3 with Maurer 2016, A vector-contraction inequality for "
                             "Rademacher complexities (here with the Gaussian factor)")
    assumptions: ClassVar[Assumptions] = Assumptions(
        random="the i.i.d. sample; trunk and biases do not depend on it",
        uniform="all heads with weights of norm at most W (Frobenius)",
        losses="[0, 1], L-Lipschitz in the K outputs (soft missing rate, ramp)")

    def stages(
        self, *, empirical: Any, n_samples: Any, lipschitz: Any, weight_norm: Any, feature_norm: Any,
        outputs: Any, norm_choices: Any,
    ) -> dict[str, np.ndarray]:
        """The loss on the sample, plus 2 R_S, plus the choice of W, plus the confidence."""
        complexity = contraction_complexity(
            lipschitz, weight_norm, feature_norm, outputs, n_samples, self.factor)
        return self._stages(empirical, complexity, n_samples, norm_choices)


@dataclass(frozen=True)
class Cellwise(_Rademacher):
    r"""Theorem 3 for a position-wise head: n cells cost no more than one.

    ``slope`` is that of a cell's loss in its logit, ``weight_norm`` the root mean square of
    the cells' norms or the norm of the shared vector (:func:`cellwise_complexity`).
    """

    name: ClassVar[str] = "cellwise"
    title: ClassVar[str] = "Rademacher, cell by cell"
    statement: ClassVar[str] = (
        r"R\le\hat R+\tfrac{2lWB}{\sqrt N}+3\sqrt{\tfrac{\log(2/\delta)}{2N}}")
    source: ClassVar[str] = "Theorem 3 with Meir and Zhang 2003 (contraction beside a penalty)"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random="the i.i.d. sample; trunk and biases do not depend on it",
        uniform="all heads whose cells' weights have root mean square norm at most W, or that share "
                "one weight vector of norm at most W",
        losses="[0, 1], the mean over the cells of losses of slope l in the logit (soft missing rate "
               "1/4, ramp 1/margin)")

    def stages(
        self, *, empirical: Any, n_samples: Any, slope: Any, weight_norm: Any, feature_norm: Any,
        norm_choices: Any,
    ) -> dict[str, np.ndarray]:
        """The loss on the sample, plus 2 R_S, plus the choice of W, plus the confidence."""
        complexity = cellwise_complexity(slope, weight_norm, feature_norm, n_samples)
        return self._stages(empirical, complexity, n_samples, norm_choices)


def _size(lipschitz: Any, weight_norm: Any, features: Any, n_samples: Any) -> Any:
    """L W B / sqrt(N), checked."""
    parts = [check_nats(name, value) for name, value in (
        ("lipschitz", lipschitz), ("weight_norm", weight_norm), ("feature_norm", features))]
    return (parts[0] * parts[1] * parts[2] / np.sqrt(check_samples(n_samples)))[()]
