"""Plain-Python second routes, and the array libraries under test."""

from __future__ import annotations

import math

import array_api_strict as strict
import numpy as np
import torch

LIBRARIES = {"numpy": np.asarray, "torch": torch.as_tensor, "strict": strict.asarray}
DTYPES = {"numpy": np, "torch": torch, "strict": strict}


def to_numpy(x):
    if type(x).__module__.startswith("array_api_strict"):
        return np.from_dlpack(x)
    return x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def sigmoid(z):
    return math.exp(z) / (math.exp(z) + 1) if z < 0 else 1 / (1 + math.exp(-z))  # Eq. 22


def window(t, t0, sigma, s):
    return sigmoid(s * (1 - ((t - t0) / sigma) ** 2))  # Eq. 1


def turned(t, mu, alpha):
    """Eq. 3, about mu."""
    matrix = np.array([[math.cos(alpha), -math.sin(alpha)], [math.sin(alpha), math.cos(alpha)]])
    return matrix @ (np.asarray(t) - mu) + mu


def soft(parameters, t, s):
    """Eqs. 2-4, one point, as printed."""
    mu, sigma, alpha = parameters[:2], parameters[2:4], parameters[4]
    p = turned(t, mu, -alpha)
    return window(p[0], mu[0], sigma[0], s) * window(p[1], mu[1], sigma[1], s)


def some_parameters(seed=0, n=5):
    random = np.random.default_rng(seed)
    return np.concatenate([random.uniform(0, 1, (n, 2)), random.uniform(0.1, 0.6, (n, 2)),
                           random.uniform(-3, 3, (n, 1))], axis=1)
