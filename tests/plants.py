"""The planted errors: a wrong text for a right one, and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plant:
    """Replace ``old`` by ``new`` in ``file``; ``tests`` (pytest selections) must fail."""

    file: str
    old: str
    new: str
    tests: str


RATES, BOUNDS = "tests/test_rates.py", "tests/test_bounds.py"
RELEVANCE, ENGINE = "tests/test_relevance.py", "tests/claims/test_engine.py"
FAMILIES = "tests/families/"

PLANTS = [
    Plant("theory/rates.py", "    return (1 - catching_rate(a, b, where=where, check=check)) / 2",
          "    return (1 + catching_rate(a, b, where=where, check=check)) / 2", RATES),
    Plant("theory/rates.py", "    empty = union <= 0\n", "    empty = union < 0\n", RATES),
    Plant("theory/rates.py", "zero_division: float | str = 1.0,", "zero_division: float | str = 0.0,", RATES),
    Plant("theory/rates.py", "product = xp.where(where, product, xp.zeros_like(product))",
          "product = xp.where(where, product, xp.ones_like(product))", RATES),
    Plant("theory/rates.py", "good = (x >= -1) & (x <= 1)", "good = (x >= -2) & (x <= 2)", RATES),
    Plant("theory/masks.py", "return xp.astype(mask == 1, mask.dtype)",
          "return xp.astype(mask != 1, mask.dtype)", RATES),
    Plant("theory/bounds.py", "return 3 * np.sqrt(np.log(2 / np.asarray(delta))",
          "return 3 * np.sqrt(np.log(1 / np.asarray(delta))", BOUNDS),
    Plant("theory/bounds.py", "    return (1 - rho) / 2\n", "    return (1 - rho) / 4\n", BOUNDS),
    Plant("theory/bounds.py", "if not 0 < value < 1:", "if not 0 < value <= 2:", BOUNDS),
    Plant("theory/bounds.py", "return empirical + 2 * complexity +", "return empirical + complexity +", BOUNDS),
    Plant("theory/relevance.py", "product = 2 * inside - total[:, None]",
          "product = inside - total[:, None]", RELEVANCE),
    Plant("theory/relevance.py", "return Fraction(n - 2 * (k1 + k2), n) if fit else None",
          "return Fraction(n - 2 * (k1 + k2), n)", RELEVANCE),
    Plant("theory/relevance.py", "lack = 0 if family.empty else 2", "lack = 0", RELEVANCE),
    Plant("theory/claims/engine.py", "slack = 0.0 if exact else self.claim.tolerance",
          "slack = self.claim.tolerance", ENGINE),
    Plant("theory/claims/engine.py", "distance = -abs(margin) if self.claim.kind == \"equality\" else margin",
          "distance = margin", ENGINE),
    Plant("theory/claims/engine.py", "        if self.refuted:\n            return \"refuted\"\n        if self.undefined:",
          "        if proof is not None and proof.result:\n            return \"holds\"\n        if self.undefined:", ENGINE),
    Plant("theory/claims/engine.py", "shown = check.status == \"unrefuted\"", "shown = True", ENGINE),
    Plant("theory/claims/engine.py", "if math.isnan(number):", "if False:", ENGINE),
    Plant("theory/claims/engine.py", "(exhausted and self.claim.whole_domain)", "exhausted", ENGINE),
    Plant("theory/claims/engine.py", "            self.too_few = True\n", "", ENGINE),
    Plant("theory/claims/engine.py", "        search.recombine(20 * n, left(0.5))\n", "", ENGINE),
    Plant("theory/claims/search.py", "            if new <= value and new < math.inf:\n",
          "            if new < -1e9:\n", ENGINE),
    Plant("theory/claims/search.py", "    attempt([])\n    improved = True\n", "    improved = False\n", ENGINE),
    Plant("theory/claims/runner.py", "if any(old.get(k) != v for k, v in self.head.items()):", "if False:",
          "tests/claims/test_cli.py"),
    Plant("theory/cli.py", "return EXIT_CHANGED if changed or", "return EXIT_SAME if changed or",
          "tests/claims/test_cli.py"),
    Plant("theory/observed.py", "return int(low.min()), (1 - low / n) / 2",
          "return int(low.max()), (1 - low / n) / 2", "tests/claims/test_cli.py"),
    Plant("theory/families/bits.py", 'if n > 64:', 'if n > 65:',
          FAMILIES + "test_common.py"),
    Plant("theory/families/bits.py", 'masks *= 2', 'masks *= 3',
          FAMILIES + "test_all_masks.py"),
    Plant("theory/families/bits.py", 'ones[:, :n] = masks.reshape(-1, n) == 1', 'ones[:, :n] = masks.reshape(-1, n) == -1',
          FAMILIES + "test_bad_input.py"),
    Plant("theory/families/base.py", 'return self._has(support) if support.any() else self.empty', 'return self._has(support) if support.any() else True',
          FAMILIES + "test_common.py"),
    Plant("theory/families/base.py", 'or array.dtype.kind not in "iuf"', 'or array.dtype.kind not in "iufb"',
          FAMILIES + "test_common.py"),
    Plant("theory/families/base.py", 'number < minimum:', 'number < minimum - 1:',
          FAMILIES + "test_bad_input.py"),
    Plant("theory/families/all_masks.py", 'return 2 ** (self.height * self.width) - (not self.empty)', 'return 2 ** (self.height * self.width) - 1',
          FAMILIES + "test_all_masks.py"),
    Plant("theory/families/all_masks.py", 'while not self.empty and', 'while False and',
          FAMILIES + "test_all_masks.py"),
    Plant("theory/families/finite.py", 'masks[np.sort(first)]', 'masks[first]',
          FAMILIES + "test_finite.py"),
    Plant("theory/families/finite.py", 'if blank.any() and not self.empty:', 'if False:',
          FAMILIES + "test_finite.py"),
    Plant("theory/families/limits.py", 'np.any(support & ~self.cells)', 'np.all(support & ~self.cells)',
          FAMILIES + "test_common.py"),
    Plant("theory/families/limits.py", 'top < bottom <= height', 'top < bottom <= height + 1',
          FAMILIES + "test_bad_input.py"),
    Plant("theory/families/axis_aligned.py", '(2 * columns + 2 - low - high) // 2', '(2 * columns + 1 - low - high) // 2',
          FAMILIES + "test_rectangles.py"),
    Plant("theory/families/axis_aligned.py", 'high = min(high, self.max_area // h)', 'high = min(high, -(-self.max_area // h))',
          FAMILIES + "test_bad_input.py"),
    Plant("theory/families/axis_aligned.py", 'max(h, w) <= self.max_side', 'min(h, w) <= self.max_side',
          FAMILIES + "test_common.py"),
    Plant("theory/families/axis_aligned.py", 'return area == h * w and', 'return',
          FAMILIES + "test_common.py"),
    Plant("theory/families/axis_aligned.py", 'np.searchsorted(ends, index, side="right")', 'np.searchsorted(ends, index, side="left")',
          FAMILIES + "test_common.py"),
    Plant("theory/families/axis_aligned.py", 'return grid + np.array([top, left])', 'return grid + np.array([left, top])',
          FAMILIES + "test_common.py"),
    Plant("theory/families/lattice.py", 'return ends[:-1] + ends[1:]', 'return ends[:-1]',
          FAMILIES + "test_rotated.py"),
    Plant("theory/families/lattice.py", 'key=lambda v: Fraction(v[1], v[0])', 'key=lambda v: v[0]',
          FAMILIES + "test_rotated.py"),
    Plant("theory/families/lattice.py", 'found += [phi + spread, phi - spread]', 'found += [phi + spread]',
          FAMILIES + "test_sides.py"),
    Plant("theory/families/lattice.py", '(angles[:-1] + angles[1:]) / 2', 'angles[:-1]',
          FAMILIES + "test_sides.py"),
    Plant("theory/families/lattice.py", '(need <= high + tie) &', '(need < high) &',
          FAMILIES + "test_sides.py"),
    Plant("theory/families/lattice.py", 'found = np.unique(pairs[pairs > 0])', 'found = np.unique(pairs)',
          FAMILIES + "test_rotated.py"),
    Plant("theory/families/rotated.py", '(area >= self.min_area) & (codes & ~zone == 0)', '(area >= self.min_area)',
          FAMILIES + "test_bad_input.py"),
    Plant("theory/families/rotated.py", 'return max(self.shape) <= MAX_SIDE', 'return min(self.shape) <= MAX_SIDE',
          FAMILIES + "test_rotated.py"),
    Plant("theory/families/rotated.py", 'if self.min_side == 0:', 'if True:',
          FAMILIES + "test_common.py"),
]
