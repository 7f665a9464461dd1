r"""The largest R(f) - R^(f) over ALL functions X -> A, exactly  [Theorem 1].

X has no atoms, so a sample's inputs are distinct and have probability 0: f may be chosen on the sample
and off it independently.  Hence

.. math:: \sup_f [R(f) - \hat R(f)] = \sup_f R(f) - \min_f \hat R(f)
          = E \max_b E[\Phi(b, A) \mid X] - \frac1N \sum_i \min_b \Phi(b, a_i),

and the last term is 0 when the targets are in A.  With :math:`g(a) = \max_b \Phi(b, a)` the first is
:math:`E g` if the target is a function of the input, less otherwise.  The bounds become

* Theorem 1, verbatim:  sup (R - R^)  <=  (1 - rho)/2 + 3 sqrt(log(2/delta)/(2N));
* Theorem 3 with the exact complexity:  2 R_S = mean (g - min_b Phi)(a_i)  in place of (1 - rho)/2;
* the sharp bound:  sup R  <=  mean g(a_i) + (1 - rho)/2 sqrt(log(1/delta)/(2N));
* the ceiling:  sup R  <=  (1 - rho)/2, for every sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from sims.supremum import extremes_of
from sims.theorem_1_laws import Setting
from theory import bounds

BOUNDS = ("theorem_1", "theorem_3", "sharp", "ceiling")


def expected_worst_exact(setting: Setting) -> Fraction:
    """E g: the mean over the law of the largest missing rate; exact."""
    return _mean(setting, setting.most) / setting.positions


@lru_cache(maxsize=64)
def supremum_risk_exact(setting: Setting, noise: Fraction) -> Fraction:
    r""":math:`\sup_f R(f) = E \max_b E[\Phi(b, A) \mid X]`; exact.

    Given a(X) = a the mean of A is :math:`(1-\lambda) a + \lambda \bar a`, and
    :math:`E[\Phi(b, A) \mid X] = (1 - \langle b, (1-\lambda) a + \lambda\bar a\rangle/n)/2`: one
    minimum-weight mask for every a.

    Args:
        setting: family and law.
        noise: lambda, in [0, 1].

    Raises:
        ValueError: noise outside [0, 1].
    """
    noise = Fraction(noise)
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must be in [0, 1], got {noise}")
    if noise == 0:
        return expected_worst_exact(setting)
    total = int(setting.weights.sum())
    weights, scale = conditional_means(setting, noise)
    found = extremes_of(setting.family, weights)
    lowest = 2 * found.minimum - weights.sum(axis=(1, 2))
    if noise == 1:  # one b for every input
        lowest = np.broadcast_to(lowest, setting.weights.shape)
    catch = Fraction(sum(int(w) * int(v) for w, v in zip(setting.weights, lowest, strict=True)),
                     total * scale * setting.positions)
    return (1 - catch) / 2


def conditional_means(setting: Setting, noise: Fraction) -> tuple[np.ndarray, int]:
    """E[A | a(X) = a] for every target a, as integers ``(m, H, W)`` over a common denominator.

    At noise 1 the mean is the same for every a, and the array has one row.
    """
    p, q = noise.numerator, noise.denominator
    total = int(setting.weights.sum())
    mean = np.tensordot(setting.weights, setting.targets.astype(np.int64), axes=1)
    if noise == 1:
        return mean[None], total
    return (q - p) * total * setting.targets.astype(np.int64) + p * mean, q * total


@dataclass(frozen=True, eq=False)
class Samples:
    """What the bounds need of many samples of size N.

    Attributes:
        n_samples: N.
        most, least: int64 ``(repeats,)``, sums over a sample of ``n g(a_i)`` and of
            ``n min_b Phi(b, a_i)``.
    """

    n_samples: int
    most: np.ndarray
    least: np.ndarray


def draw_samples(setting: Setting, n_samples: int, repeats: int, generator: np.random.Generator
                 ) -> Samples:
    """Independent samples of N targets each (the inputs are distinct with probability 1)."""
    most, least = np.empty((2, repeats), dtype=np.int64)
    step = max(1, 2**20 // n_samples)  # part of the definition of the stream of draws
    for start in range(0, repeats, step):
        part = slice(start, min(start + step, repeats))
        index = setting.draw(generator, (part.stop - start, n_samples))
        most[part] = setting.most[index].sum(axis=1)
        least[part] = setting.least[index].sum(axis=1)
    return Samples(n_samples, most, least)


def slacks(setting: Setting, samples: Samples, supremum: Fraction, delta: float
           ) -> dict[str, np.ndarray]:
    """Each bound less what it bounds, a value a sample; negative where the bound fails.

    Args:
        setting, samples: where the samples come from.
        supremum: sup R, from :func:`supremum_risk_exact`.
        delta: in (0, 1).

    Returns:
        float64 ``(repeats,)`` for every name of ``BOUNDS``.
    """
    worst, best = _rates(setting, samples)
    gap, risk = float(supremum) - best, float(supremum)
    rho = float(setting.rho)
    sharp = bounds.sharp_bound(worst, rho, samples.n_samples, delta)
    third = bounds.theorem_3(0.0, (worst - best) / 2, samples.n_samples, delta)
    return {"theorem_1": bounds.theorem_1(0.0, rho, samples.n_samples, delta) - gap,
            "theorem_3": third - gap, "sharp": sharp - risk,
            "ceiling": np.full(len(worst), float((1 - setting.rho) / 2 - supremum))}


def smallest_bounds(setting: Setting, samples: Samples, delta: float) -> dict[str, np.ndarray]:
    """Each bound on R(f) for the f that fits the sample best: the smallest value it can take.

    Above 1 it says nothing about any f.
    """
    worst, best = _rates(setting, samples)
    n, rho = samples.n_samples, float(setting.rho)
    return {"theorem_1": bounds.theorem_1(best, rho, n, delta),
            "theorem_3": bounds.theorem_3(best, (worst - best) / 2, n, delta),
            "sharp": bounds.sharp_bound(worst, rho, n, delta),
            "ceiling": np.full(len(worst), bounds.ceiling(rho))}


def sharp_failure_exact(setting: Setting, n_samples: int, supremum: Fraction, delta: float
                        ) -> Fraction:
    """The probability that the sharp bound fails on a sample of N targets; exact, for small N.

    The law of the sum of ``n g(a_i)`` is the N-th power of a polynomial with integer coefficients,
    taken by one power of an integer with the coefficients as digits.
    """
    n, rho = setting.positions, float(setting.rho)
    counts = np.bincount(setting.most, weights=setting.weights).astype(np.int64)
    digit = (int(setting.weights.sum()) ** n_samples).bit_length() + 1
    power = sum(int(c) << (digit * k) for k, c in enumerate(counts)) ** n_samples
    mask, failing = (1 << digit) - 1, 0
    for total in range((len(counts) - 1) * n_samples + 1):
        if bounds.sharp_bound(total / (n * n_samples), rho, n_samples, delta) >= float(supremum):
            break
        failing += (power >> (digit * total)) & mask
    return Fraction(failing, int(setting.weights.sum()) ** n_samples)


def _rates(setting: Setting, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Means of g and of min_b Phi over each sample."""
    scale = samples.n_samples * setting.positions
    return samples.most / scale, samples.least / scale


def _mean(setting: Setting, values: np.ndarray) -> Fraction:
    total = sum(int(w) * int(v) for w, v in zip(setting.weights, values, strict=True))
    return Fraction(total, int(setting.weights.sum()))
