"""Oracles of the bounds' tests: kl in 40 digits, and classes whose risks and coverage are known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from mpmath import mp
from scipy.special import gammaln
from scipy.stats import binom


def kl_mp(q, p):
    """Divergence of two coins as a number of mpmath."""
    q, p = mp.mpf(q), mp.mpf(p)
    if p == 1 and q < 1:
        return mp.inf
    first = q * mp.log(q / p) if q > 0 else mp.mpf(0)
    return first + ((1 - q) * mp.log((1 - q) / (1 - p)) if q < 1 else 0)


def is_kl_upper(got, q, c, room=1e-11):
    """Whether a float is not below sup{p : kl(q || p) <= c}, and no more than a relative ``room`` above."""
    got = mp.mpf(float(got))
    outside = got == 1 or (got >= q and kl_mp(q, got) >= c)
    near = got * (1 - mp.mpf(room))
    return outside and (near <= q or kl_mp(q, near) <= c)


def maurer_nats_mp(n, delta):
    """ln(2 sqrt(N) / delta)."""
    return mp.log(2 * mp.sqrt(n) / mp.mpf(delta))


def safe_and_tight(got, want, room=1e-12):
    """Whether a float is not below the exact upper end, and no more than a relative ``room`` above."""
    return mp.mpf(float(got)) >= want and float(got) <= float(want) * (1 + room) + 5e-324


def needle_misses(bound, n, p, size):
    """Exact probability that the bound of the best of M predictors is below their risk p.

    ``size`` = M predictors with independent losses of probability p; the posterior is the one with
    the least empirical loss, KL = ln M.  ``bound(losses)`` maps k/N to the bound.
    """
    losses = np.arange(n + 1) / n
    below = np.flatnonzero(np.asarray(bound(losses)) < p)
    if not below.size:
        return 0.0
    return float(-np.expm1(size * np.log1p(-binom.cdf(below[-1], n, p))))


@dataclass(frozen=True)
class Toy:
    """M predictors on a space of Z points with known law; the posterior is P exp(-beta N R^) / norm.

    ``losses`` (M, Z) in [0, 1], ``law`` (Z,), ``prior`` (M,).
    """

    losses: np.ndarray
    law: np.ndarray
    prior: np.ndarray

    @property
    def risks(self):
        return self.losses @ self.law

    def samples(self, n):
        """All counts ``(s, Z)`` of N points and their probabilities ``(s,)``."""
        z = len(self.law)
        bars = np.array(list(combinations(range(n + z - 1), z - 1))).reshape(-1, z - 1)
        edges = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), n + z - 1)])
        counts = np.diff(edges, axis=1) - 1
        logs = gammaln(n + 1) - gammaln(counts + 1).sum(axis=1) + counts @ np.log(self.law)
        return counts, np.exp(logs)

    def draw(self, n, repeats, rng):
        """Counts ``(repeats, Z)``."""
        return rng.multinomial(n, self.law, size=repeats)

    def posterior(self, counts, beta):
        """Empirical losses, posterior weights and their log over the prior's, each ``(s, M)``."""
        n = counts.sum(axis=1, keepdims=True)
        empirical = np.clip(counts @ self.losses.T / n, 0, 1)
        logs = -beta * n * empirical
        norm = np.log((self.prior * np.exp(logs - logs.max(axis=1, keepdims=True))).sum(
            axis=1, keepdims=True)) + logs.max(axis=1, keepdims=True)
        return empirical, self.prior * np.exp(logs - norm), logs - norm

    def gibbs(self, counts, beta):
        """R^(Q), R(Q) and KL(Q || P), each ``(s,)``."""
        empirical, q, ratio = self.posterior(counts, beta)
        kl = np.maximum((q * ratio).sum(axis=1), 0)
        return np.clip((q * empirical).sum(axis=1), 0, 1), q @ self.risks, kl


def coins(*risks):
    """Predictors with independent losses 0 and 1 of these risks, prior uniform; (M, 2^M) points."""
    m = len(risks)
    losses = (np.arange(2**m)[None, :] >> np.arange(m)[:, None] & 1).astype(float)
    p = np.array(risks)[:, None]
    return Toy(losses, np.prod(np.where(losses == 1, p, 1 - p), axis=0), np.full(m, 1 / m))


def smooth(m, z, seed):
    """A random toy with losses in [0, 1], some of them 0 and 1."""
    rng = np.random.default_rng(seed)
    losses = np.clip(rng.normal(0.3, 0.4, size=(m, z)), 0, 1)
    return Toy(losses, rng.dirichlet(np.ones(z)), rng.dirichlet(np.ones(m)))


TOYS = [(coins(0.3, 0.5), 6), (coins(0.05, 0.5, 0.9), 3), (coins(0.9), 1), (smooth(5, 4, 1), 8), (smooth(7, 3, 2), 12)]
"""Small classes, each with a size of samples that can all be enumerated."""
