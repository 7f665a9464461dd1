r"""The cells of injectivity: gains swept through the point where collisions appear  [App. F].

``soft`` searches one predictor for an input with det(I + J) < 0 (then a collision exists, see
:mod:`sims.injectivity`), finds the collision and verifies it in decimals.  ``binary`` tries every
pattern of doublings for exact inputs.  The weights do not depend on the gain.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

KIND = "injectivity"

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"shapes": ((1, 2, 2),), "factors": (0.5, 0.99, 1.01, 2.0), "gains": (2.0, 30.0),
              "starts": 2, "draws": 100, "samples": 1, "inputs": 60},
    "full": {"shapes": ((1, 1, 2), (1, 2, 2), (2, 2, 2)),
             "factors": (0.25, 0.5, 0.9, 0.99, 0.999, 1.001, 1.01, 1.1, 1.5, 2.0, 4.0),
             "gains": (0.5, 1.0, 2.0, 4.0, 7.0, 10.0, 20.0, 40.0), "starts": 3, "draws": 400,
             "samples": 2, "inputs": 2000},
}
REACH = 2.5  # inputs are searched with log x in [-REACH, REACH]
RESCALED = ("pixelwise", "network", "rectangle", "blind-network", "blind-rectangle")


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """The configurations of a preset, each with its key."""
    from sims.injectivity_predictors import BINARY, CRITICAL_GAIN, SOFT

    p = PRESETS[preset]
    made = []
    for shape in p["shapes"]:
        for name in SOFT:
            known = name in ("common", "increasing", "pixelwise")
            gains = [f * CRITICAL_GAIN for f in p["factors"]] if known else p["gains"]
            for gain in gains:
                for rescaled in (False, True) if name in RESCALED else (False,):
                    made += [_cell("soft", seed, name=name, gain=round(gain, 9), shape=list(shape),
                                   rescaled=rescaled, starts=p["starts"], draws=p["draws"],
                                   sample=sample, reach=REACH) for sample in range(p["samples"])]
        made += [_cell("binary", seed, name=name, shape=list(shape), inputs=p["inputs"],
                       sample=sample) for name in BINARY for sample in range(p["samples"])]
    return made


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one cell."""
    from sims.streams import stream

    shared = f"{KIND}/weights/{cell['name']}/{cell['shape']}/sample={cell['sample']}"
    weights = stream(shared, cell["seed"])
    generator = stream(cell["key"], cell["seed"])
    return (_soft if cell["part"] == "soft" else _binary)(cell, weights, generator)


def lowest(
    function: Callable[[np.ndarray], float], shape: tuple[int, ...], starts: int, draws: int,
    generator: np.random.Generator, reach: float = REACH,
) -> tuple[np.ndarray, float]:
    """The point of the box [-reach, reach] with the smallest value found, and the value.

    ``draws`` random points, then Nelder-Mead from the best ``starts`` of them.
    """
    from scipy.optimize import minimize

    points = generator.uniform(-reach, reach, (draws, *shape))
    values = np.array([function(z) for z in points])
    order = np.argsort(values)
    best, least = points[order[0]], float(values[order[0]])
    for index in order[:starts]:
        found = minimize(lambda z: function(z.reshape(shape)), points[index].ravel(),
                         method="Nelder-Mead", bounds=[(-reach, reach)] * points[index].size,
                         options={"maxfev": 60 * points[index].size, "xatol": 1e-9,
                                  "fatol": 1e-12, "adaptive": True})
        if found.fun < least:
            best, least = found.x.reshape(shape), float(found.fun)
    return best, least


def _soft(cell: dict[str, Any], weights: Any, generator: Any) -> dict[str, Any]:
    from sims.injectivity import collision_from, determinant, module_jacobian, row_sum
    from sims.injectivity_predictors import soft

    shape, rescaled = tuple(cell["shape"]), cell["rescaled"]
    f = soft(cell["name"], cell["gain"], shape, weights)
    search = {"starts": cell["starts"], "draws": cell["draws"], "generator": generator,
              "reach": cell["reach"]}
    z, least = lowest(lambda z: determinant(f, np.exp(z), rescaled=rescaled), shape, **search)
    worst = np.exp(z)
    _, rows = lowest(lambda z: -row_sum(f, np.exp(z), rescaled=rescaled), shape, **search)
    numbers = {"least_determinant": least, "largest_row_sum": -rows,
               "attempts": cell["draws"], "refined": cell["starts"],
               "smallest_singular_value": _singular(module_jacobian(f, worst, rescaled=rescaled)),
               **_scalings(f, shape, rescaled, search)}
    pair = collision_from(f, worst, rescaled=rescaled) if least < 0 else None
    numbers["collision"] = pair is not None
    if pair is not None:
        numbers |= _collision(f, pair, rescaled)
    return numbers


def _scalings(f: Any, shape: tuple[int, ...], rescaled: bool, search: dict[str, Any]) -> dict[str, Any]:
    """Random pairs x, e^t x against the condition of theory, and the least stretch of M found.

    ``largest_ratio`` is the largest ``|L(e^t x) - L(x)|_inf / |t|_inf``; ``smallest_stretch``
    the least ``|log M(e^t x) - log M(x)|_inf / |t|_inf``, 0 at a collision.
    """
    from theory.injectivity import log_scale_limit, log_scale_margin, module

    limit = log_scale_limit(*shape[:2], rescaled=rescaled)
    grid = shape[:2]

    def split(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.exp(z[..., :-1]), z[..., -1] / search["reach"] * limit

    def stretch(z: np.ndarray) -> float:
        x, t = split(z)
        size = abs(t).max()
        if size < 1e-3:
            return 1.0
        left, right = (module(f, v, rescaled=rescaled)[..., 0] for v in (x, x * np.exp(t)[..., None]))
        return float(abs(np.log(right / left)).max() / size)

    generator, ratios = search["generator"], []
    for _ in range(search["draws"]):
        x, t = split(generator.uniform(-search["reach"], search["reach"], (*grid, shape[2] + 1)))
        ratios.append(1 - log_scale_margin(f, x, t, rescaled=rescaled) / abs(t).max())
    _, least = lowest(stretch, (*grid, shape[2] + 1), **search)
    return {"scalings": len(ratios), "scalings_violating": int(sum(r >= 1 for r in ratios)),
            "largest_ratio": float(max(ratios)), "smallest_stretch": least}


def _collision(f: Any, pair: Any, rescaled: bool) -> dict[str, Any]:
    from sims.injectivity import module_jacobian, sign_change, verified
    from theory.injectivity import find_collision, module, prop4_ratio

    out = [module(f, v, rescaled=rescaled) for v in (pair.x, pair.y)]
    path = [pair.x * (pair.y / pair.x) ** s for s in np.linspace(0, 1, 9)]
    along = [_singular(module_jacobian(f, x, rescaled=rescaled)) for x in path]
    simple = f.name == "common" and not rescaled
    return {"residual": float(abs(out[0] - out[1]).max() / abs(out[0]).max()),
            "distance": pair.distance,
            "decimal": verified(f, pair, rescaled=rescaled),
            "sign_change": sign_change(f, pair) if simple else None,
            "prop_4_ratio": prop4_ratio(f, pair.x, pair.y, rescaled=rescaled),
            "smallest_singular_value_on_path": min(along),
            "found_by_theory": find_collision(f, pair.x, rescaled=rescaled, starts=8) is not None,
            "x": pair.x.ravel().tolist(), "y": pair.y.ravel().tolist()}


def _binary(cell: dict[str, Any], weights: Any, generator: Any) -> dict[str, Any]:
    from sims.injectivity_predictors import binary
    from theory.injectivity import binary_collisions, module, prop3_condition

    shape = tuple(cell["shape"])
    f = binary(cell["name"], shape, weights)
    least = 0 if cell["name"].startswith("rising") else -6
    collisions = colliding = verified = violated = 0
    for _ in range(cell["inputs"]):
        values = generator.integers(least, 7, size=shape)
        x = np.array([Fraction(int(v)) for v in values.ravel()], dtype=object).reshape(shape)
        found = list(binary_collisions(f, x))
        colliding += bool(found)
        collisions += len(found)
        for other in (c.y for c in found):
            equal = np.array_equal(module(f, x), module(f, other))
            verified += int(equal and not np.array_equal(x, other))
            violated += int(prop3_condition(f, x, other))
    return {"repeats": cell["inputs"], "inputs_with_collision": colliding,
            "collisions": collisions, "collisions_verified": verified,
            "collisions_that_meet_prop_3": violated}


def _singular(jacobian: np.ndarray) -> float:
    return float(np.linalg.svd(jacobian, compute_uv=False).min())


def _cell(part: str, seed: int, **settings: Any) -> dict[str, Any]:
    text = "/".join(f"{k}={'x'.join(map(str, v)) if isinstance(v, list) else v}"
                    for k, v in settings.items())
    return {"kind": f"{KIND}-{part}", "key": f"{KIND}/{part}/{text}/seed={seed}", "part": part,
            "seed": seed, **settings}
