"""Section 5.1, beyond the paper: when the means that a bettor cannot reject are an interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate, product
from typing import Any

import numpy as np

from theory.bounds.betting import betting_upper
from theory.claims.coins import binomial, parts
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt, symbolic

TEST = "tests/claims/test_ledger_held_out.py"
CODE = "theory.bounds.betting.betting_upper"
SOURCE = "Waudby-Smith and Ramdas 2023"


def capital(
    losses: Sequence[Fraction], bets: Sequence[Fraction], m: Fraction, cap: Fraction
) -> list[Fraction]:
    """K_0, K_1, ..., K_n against "the mean is m", with the bets capped at cap/(1-m) as in the code."""
    factors = (1 + (min(a, cap / (1 - m)) if m < 1 else a) * (m - x)
               for a, x in zip(bets, losses, strict=True))
    return list(accumulate(factors, lambda k, f: k * f, initial=Fraction(1)))


def _games(points: int) -> Any:
    """Losses, bets against means that are too high and too low, a cap, sorted means."""
    from hypothesis import strategies as st

    def of(n: int) -> Any:
        row = lambda top: st.lists(parts(0, top, 8), min_size=n, max_size=n)  # noqa: E731
        return st.fixed_dictionaries({
            "losses": row(8), "bets": row(40), "others": row(40), "cap": parts(1, 7, 8),
            "means": st.lists(parts(0, 40, 40), min_size=points, max_size=points).map(sorted)})

    return st.integers(1, 6).flatmap(of)


def _interval_margin(i: dict[str, Any]) -> Fraction:
    low, high = (capital(i["losses"], i["bets"], m, i["cap"]) for m in i["means"])
    return min(b - a for a, b in zip(low, high, strict=True))


def _interval_proof() -> Proof:
    import z3

    m, more, x, a, c, low, high, k, k2, f, f2 = z3.Reals("m more x a c low high k k2 f f2")
    given = z3.And(0 <= m, m <= more, more < 1, 0 <= x, x <= 1, a >= 0, 0 < c, c < 1,
                   low * (1 - m) == c, high * (1 - more) == c)
    one = 1 + z3.If(a <= low, a, low) * (m - x)
    two = 1 + z3.If(a <= high, a, high) * (more - x)
    return smt("One factor does not fall in m (lemma 1; at m = 1, where no cap holds, by continuity) "
               "and is at least 1 - c (lemma 2); by induction over t the products keep the order "
               "(lemma 3).",
               z3.Implies(given, one <= two), z3.Implies(given, one >= 1 - c),
               z3.Implies(z3.And(0 <= k, k <= k2, 0 <= f, f <= f2), k * f <= k2 * f2))


interval = Claim(
    id="betting-interval", origin="beyond", source=SOURCE, kind="inequality",
    title="The capital of capped bets chosen without m grows with m: what is not rejected is an "
          "interval",
    statement=r"m\le m'\Rightarrow K_t(m)\le K_t(m'),\quad K_t(m)=\prod_{i\le t}"
              r"\bigl(1+\min(a_i,\tfrac c{1-m})(m-L_i)\bigr)",
    words="So {m : max K_t(m) < 1/delta} is an interval from 0, and a search for its end is safe.",
    assumptions="bets a_i >= 0 that do not depend on m (but may on the earlier losses), 0 < c < 1",
    instances=lambda: _games(2), margin=_interval_margin, proof=_interval_proof, code=CODE, test=TEST)


def _hedge(i: dict[str, Any], m: Fraction) -> Fraction:
    """The larger of the two bettors' greatest capitals, half of the money each."""
    other = capital([1 - x for x in i["losses"]], i["others"], 1 - m, i["cap"])
    return max(*capital(i["losses"], i["bets"], m, i["cap"]), *other) / 2


def _hedged_margin(i: dict[str, Any]) -> Fraction:
    low, mid, high = (_hedge(i, m) for m in i["means"])
    return max(low, high) - mid


hedged = Claim(
    id="betting-hedged", origin="beyond", source=SOURCE + ", Theorem 3", kind="inequality",
    title="Also with half of the capital on each side",
    statement=r"m\le m'\le m''\Rightarrow H(m')\le\max(H(m),H(m'')),\quad H=\max_t\max(K_t^+,K_t^-)/2",
    words="The two-sided set is an interval, with delta/2 spent on each end.",
    assumptions="as for betting-interval, both bettors",
    instances=lambda: _games(3), margin=_hedged_margin,
    proof=lambda: _hedged_proof(), code="theory.bounds.betting.Betting", test=TEST)


def _hedged_proof() -> Proof:
    import z3

    u, v, w, x, y, z = z3.Reals("u v w x y z")
    top = lambda s, t: z3.If(s >= t, s, t)  # noqa: E731
    return smt("One greatest capital does not fall in m (betting-interval), the other, that of 1 - L "
               "against 1 - m, does not rise: their maximum lies between its ends (lemma).",
               z3.Implies(z3.And(u <= v, v <= w, x >= y, y >= z),
                          top(v, y) <= top(top(u, x), top(w, z))))


def plug_in_capital(losses: Sequence[Fraction], m: Fraction) -> Fraction:
    """The greatest capital of one-sided plug-in bets: Kelly's, to second order, for the past losses.

    Stakes on losses below m only where m is above the past mean: d/(s^2 + d^2), d = (m - mean)_+, at
    most 1/(2(1-m)); mean and variance as in the code.
    """
    top = now = Fraction(1)
    total, squares = Fraction(1, 2), Fraction(1, 4)
    mean, variance = total, squares
    for count, x in enumerate(losses, 2):
        d = max(m - mean, Fraction(0))
        now *= 1 + min(d / (variance + d * d), 1 / (2 * (1 - m))) * (m - x)
        top, total = max(top, now), total + x
        mean = total / count
        squares += (x - mean) ** 2
        variance = squares / count
    return top


def _plug_in_games() -> Any:
    from hypothesis import strategies as st

    return st.tuples(st.lists(st.integers(0, 1).map(Fraction), min_size=7, max_size=10),
                     st.lists(parts(0, 19, 20), min_size=2, max_size=2).map(sorted))


def _one_early_error() -> list[Any]:
    return [([Fraction(int(k == 1)) for k in range(7)], [Fraction(1, 4), Fraction(3, 10)])]


plug_in = Claim(
    id="betting-plug-in", origin="beyond", source=SOURCE, kind="inequality",
    title="What is not rejected is an interval also for bets that depend on m",
    statement=r"m\le m'\Rightarrow\max_tK_t(m)\le\max_tK_t(m')",
    words="Plug-in bets (aGRAPA, one-sided) bet little near the past mean. After one early error the "
          "capital against 1/4 exceeds that against 3/10: for some delta a smaller mean is rejected "
          "and a larger is not.",
    assumptions="losses 0 and 1, bets d/(s^2 + d^2) with d = (m - past mean)_+, cap 1/2",
    instances=_plug_in_games, margin=lambda i: plug_in_capital(i[0], i[1][1])
    - plug_in_capital(i[0], i[1][0]),
    exhaustive=_one_early_error, exhaustive_range="losses 0, 1, 0, 0, 0, 0, 0; m = 1/4 and 3/10",
    amendment=interval, code=CODE, test=TEST)

# --- the order of the losses -----------------------------------------------------------------------


def _orders() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"n": st.integers(1, 8), "p": parts(1, 19, 20),
                                  "delta": parts(1, 10, 20)})


def order_coverage(i: dict[str, Any], arrange: Callable[[Any], Any]) -> Fraction:
    """Exact coverage for n coins of chance p whose losses are arranged before the bets."""
    n, p = i["n"], i["p"]
    rows = np.array([arrange(row) for row in product((0.0, 1.0), repeat=n)])
    good = np.atleast_1d(betting_upper(rows, float(i["delta"]))) >= float(p) - 1e-9
    one = [w / c for w, c in zip(binomial(n, p), binomial(n, Fraction(1, 2)), strict=True)]
    kept = (one[int(row.sum())] for row, ok in zip(rows, good, strict=True) if ok)
    return sum(kept, Fraction(0)) / 2**n


def _fair_proof() -> Proof:
    import sympy as sp

    k, bet, m, loss = sp.symbols("K lambda m L")
    step = sp.expand(k * (1 + bet * (m - loss))).subs(loss, m)
    return symbolic("Linear in the loss, the capital's mean given the past is K_t(1 + lambda(m - E "
                    "L)) = K_t at m = R (identity), and it is never negative. Stop when it reaches "
                    "1/delta, or at n: its mean is still 1 and at least P(reached)/delta. A bound "
                    "below R has rejected R (betting-interval).", step - k)


fair = Claim(
    id="betting-coverage", origin="beyond", source=SOURCE, kind="inequality",
    title="The betting bound holds for losses in the order in which they were drawn",
    statement=r"P(R\le\sup\{m:\max_tK_t(m)<1/\delta\})\ge1-\delta",
    words="Each loss must have mean R given those before; coverage by all orders of up to 8 coins.",
    assumptions="losses in [0, 1]; bets from earlier losses only", instances=_orders,
    margin=lambda i: order_coverage(i, list) - (1 - i["delta"]), proof=_fair_proof,
    code=CODE, test=TEST)

order = Claim(
    id="betting-order", origin="beyond", source=SOURCE, kind="inequality",
    title="The betting bound holds for losses in any order, also one that depends on them",
    statement=r"P(R\le\sup\{m:\max_tK_t(m)<1/\delta\})\ge1-\delta",
    words="Sorted, the zeros come first and make the bettor rich before an error shows: coverage of "
          "six coins of chance 7/10 is below 3/4 at delta = 1/10.",
    assumptions="losses 0 and 1, sorted", instances=_orders,
    margin=lambda i: order_coverage(i, sorted) - (1 - i["delta"]),
    exhaustive=lambda: [{"n": 6, "p": Fraction(7, 10), "delta": Fraction(1, 10)}],
    exhaustive_range="six coins of chance 7/10, delta = 1/10", amendment=fair, code=CODE, test=TEST)

CLAIMS = [interval, hedged, plug_in, order]
