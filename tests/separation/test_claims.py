"""The ledger of section 5.2: verdicts, and the facts behind them computed without the toolkit."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction as F
from itertools import product

import numpy as np
import pytest

import theory.claims.proofs as proofs
from theory.claims import verify
from theory.claims.ledger_5_2 import CLAIMS, fitting, monotone
from theory.claims.ledger_5_2 import instances as ranges
from theory.rates import fitting_rate_exact

BY_ID = {c.id: c for c in CLAIMS}
STATUS = {
    "prop-1": "ill-posed", "prop-1-amended": "holds", "def-5.3": "ill-posed",
    "def-5.3-amended": "holds", "def-5.3-similar": "refuted", "def-5.3-similar-amended": "holds",
    "eq-19": "ill-posed", "eq-21-typography": "refuted", "eq-18": "holds",
    "eq-18-defined": "holds", "eq-18-kernel": "holds", "interp-1": "holds",
    "interp-1-kernel": "holds", "interp-1-pointwise": "holds", "interp-2": "refuted",
    "interp-2-amended": "holds",
    "interp-3": "holds", "interp-3-no-information": "refuted",
    "interp-3-no-information-amended": "holds", "interp-4": "holds", "property-1": "holds",
    "remark-3": "holds", "sandwich": "holds", "thm-2.1": "holds", "thm-2.1-constant": "holds",
    "thm-2.2": "refuted", "thm-2.2-disjoint": "holds", "remark-3-stronger": "holds",
    "tv-upper": "holds", "sec-5.2-monotone": "refuted",
    "sec-5.2-monotone-apart": "holds", "sec-5.2-apart": "holds", "lower-bound-monotone": "holds",
    "remark-3-increases": "refuted", "sec-5.2-two-atoms": "holds", "sec-5.2-gap": "holds",
    "app-E-proof": "refuted", "app-E-proof-amended": "holds", "app-E-sign": "refuted",
    "app-E-sign-amended": "holds", "sec-5.2-tv-exact": "holds", "sec-5.2-gap-bound": "holds",
    "sec-5.2-gap-attained": "holds", "sec-5.2-proportional": "holds", "sec-5.2-binary-worse": "holds",
}


def test_every_claim_has_its_expected_status_here():
    assert set(BY_ID) == set(STATUS) and len(CLAIMS) == len(STATUS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_verdict(claim):
    verdict = verify(claim, examples=20, budget=2.0, amendment=False)
    assert verdict.status == STATUS[claim.id], str(verdict)
    if verdict.status == "refuted":
        replayed = claim.margin(verdict.counterexample)
        assert replayed == verdict.counterexample_margin
        assert replayed < 0 or (claim.kind == "equality" and replayed != 0)
    if verdict.status in ("refuted", "ill-posed", "vacuous"):
        assert claim.amendment is not None and STATUS[claim.amendment.id] == "holds"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_claim_is_fully_described(claim):
    from latex2mathml.converter import convert

    assert claim.words and claim.assumptions and claim.source and claim.code and claim.test
    assert convert(claim.statement).startswith("<math")
    assert claim.exhaustive is None or claim.exhaustive_range
    assert claim.amendment is None or claim.amendment.id in BY_ID


def collect_lemmas(monkeypatch, claim):
    """The z3 lemmas of a claim's proof."""
    found = []
    genuine = proofs.smt
    monkeypatch.setattr(proofs, "smt", lambda text, *lemmas: (found.extend(lemmas),
                                                              genuine(text, *lemmas))[1])
    (claim.proof or claim.unsatisfiable)()
    return found


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.proof is not None], ids=lambda c: c.id)
def test_no_lemma_is_vacuous(claim, monkeypatch):
    import z3

    for lemma in collect_lemmas(monkeypatch, claim):
        if z3.is_implies(lemma):
            solver = z3.Solver()
            solver.add(lemma.arg(0))
            assert solver.check() == z3.sat, lemma


def test_importing_the_ledgers_is_light():
    code = ("import sys, theory.claims.ledger_5_2, theory.claims.ledger_f; "
            "print([m for m in ('hypothesis', 'z3', 'sympy', 'scipy', 'torch') "
            "if m in sys.modules])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# --- the same facts in plain Fractions


def plain_tv(p, q, g, lam):
    """Eqs. 18-19 and Def. 5.4 written out once more: all events."""
    def mix(r):
        eta = (1 - sum(a * b for a, b in zip(lam, r, strict=True))) / (
            1 - sum(a * b for a, b in zip(lam, g, strict=True)))
        return [a * b + eta * (1 - a) * c for a, b, c in zip(lam, r, g, strict=True)]

    y, z = mix(p), mix(q)
    return max(abs(sum(a - b for a, b, e in zip(y, z, event, strict=True) if e))
               for event in product((0, 1), repeat=len(y)))


def test_gap_family_by_hand():
    for e in (F(1, 100), F(1, 2), F(1)):
        family = monotone.gap_family(e)
        p, q, g = (family[k] for k in ("pure", "other", "background"))
        assert plain_tv(p, q, g, family["low"]) == (1 - e) / (1 + e)
        assert plain_tv(p, q, g, family["high"]) == 0
        assert all(a <= b for a, b in zip(family["low"], family["high"], strict=True))


def test_two_atoms_never_refute_monotonicity_and_three_do():
    levels = [F(k, 3) for k in range(4)]

    def worst(p, q, g, atoms):
        maps = [m for m in product(levels, repeat=atoms)
                if any(a < 1 and b > 0 for a, b in zip(m, g, strict=True))]
        value = {m: plain_tv(p, q, g, m) for m in maps}
        return min(value[b] - value[a] for a, b in product(maps, repeat=2)
                   if all(u <= v for u, v in zip(a, b, strict=True)))

    halves = [(F(k, 2), 1 - F(k, 2)) for k in range(3)]
    assert all(worst(p, q, g, 2) == 0 for p, q, g in product(halves, repeat=3))
    # (1-e)/(1+e) at e = 1/3 falls to 0
    assert worst((1, 0, 0), (0, 1, 0), (0, F(1, 2), F(1, 2)), 3) == -F(1, 2)


def test_theorem_2_2_needs_disjoint_supports():
    p, q, g = (F(1, 2), F(1, 2)), (F(1), F(0)), (F(1, 2), F(1, 2))
    lam = (F(1, 2), F(1, 2))
    assert plain_tv(p, q, g, lam) == F(1, 4) < F(1, 2)  # min E[lam] = 1/2
    claim = BY_ID["thm-2.2"]
    instance = dict(zip(("pure", "other", "background", "fitting"),
                        (np.array(v, dtype=object) for v in (p, q, g, lam)), strict=True))
    assert claim.margin(instance) == -F(1, 4)
    assert BY_ID["sandwich"].margin(instance) >= 0


def test_proposition_1_on_all_pairs_up_to_2_by_3():
    count = 0
    for instance in fitting._small((*fitting.GRIDS, (2, 3)), union=True):
        a, b = instance["a"] == 1, instance["b"] == 1
        assert fitting_rate_exact(instance["a"], instance["b"]) == F(
            int((a & b).sum()), int((a | b).sum()))
        count += 1
    assert count == 3 + 2 * 15 + 2 * 63 + 255 + 4095


def test_instances_meet_their_assumptions():
    from random import Random

    from theory.claims.draws import draw

    rng = Random(1)
    for _ in range(60):
        apart = draw(ranges.apart_mixtures(disjoint=True), rng).instance
        assert all(p * q == 0 for p, q in zip(apart["pure"], apart["other"], strict=True))
        differ = draw(ranges.apart_mixtures(disjoint=False), rng).instance
        assert any((p > 0) != (q > 0) for p, q in zip(differ["pure"], differ["other"],
                                                       strict=True))
        maps = draw(ranges.ordered_maps(), rng).instance
        assert all(0 <= a <= b <= 1 for a, b in zip(maps["low"], maps["high"], strict=True))
        assert ranges.defined(maps, "high")
        assert ranges.defined(draw(ranges.defined_mixtures(), rng).instance)


def test_without_background_where_the_classes_differ_tv_is_the_larger_part():
    """TV = max(A+, A-) on atoms 0 and 1 for the classes and 2 and 3 for the background, by all events."""
    g, levels = (0, 0, F(1, 3), F(2, 3)), (F(0), F(2, 5), F(1))
    for p, q in ((F(1), F(0)), (F(3, 4), F(1, 3))):
        pure, other = (p, 1 - p, 0, 0), (q, 1 - q, 0, 0)
        value = {}
        for m in product(levels, repeat=3):
            lam = (*m, F(1, 2))
            parts = [sum(a * max(s * (x - y), 0) for a, x, y in zip(lam, pure, other, strict=True))
                     for s in (1, -1)]
            value[lam] = plain_tv(pure, other, g, lam)
            assert value[lam] == max(parts)
        for low, high in product(value, repeat=2):
            if all(a <= b for a, b in zip(low, high, strict=True)):
                assert value[low] <= value[high]
    family = monotone.gap_family(F(1, 3))  # the background meets a class: neither is true
    assert BY_ID["sec-5.2-apart"].margin(family) == F(2, 3)
    assert BY_ID["sec-5.2-monotone-apart"].margin(family) == -F(1, 2)


def test_backgrounds_apart_and_perfect_classes_are_what_they_say():
    from random import Random

    from theory.claims.draws import draw

    rng, shared = Random(2), 0
    for _ in range(80):
        i = draw(ranges.clean_backgrounds(), rng).instance
        assert all(b * (p - q) == 0 for p, q, b in zip(i["pure"], i["other"], i["background"],
                                                       strict=True))
        assert sum(i["pure"]) == sum(i["other"]) == sum(i["background"]) == 1
        assert all(0 <= a <= b <= 1 for a, b in zip(i["low"], i["high"], strict=True))
        assert ranges.defined(i, "high")
        shared += any(b * p > 0 for p, b in zip(i["pure"], i["background"], strict=True))
        one = draw(ranges.perfect_classes(), rng).instance
        assert ranges.defined(one) and any(lam < 1 for lam in one["fitting"])
        assert all(lam == 1 for p, lam in zip(one["pure"], one["fitting"], strict=True) if p > 0)
    assert 0 < shared < 80  # with and without common mass
    small = list(ranges.small_clean_backgrounds())
    assert len(small) == 324
    assert all(ranges.defined(i, "high") and i["pure"] is not i["other"] for i in small)


def test_interpretation_1_needs_the_papers_assumption():
    from theory.claims.model import Undefined

    one = np.array([F(1), F(0)], dtype=object)
    perfect = {"pure": one, "other": one, "background": one[::-1],
               "fitting": np.array([F(1), F(1)], dtype=object)}
    with pytest.raises(Undefined, match="denominator is 0"):
        BY_ID["interp-1"].margin(perfect)
    imperfect = {**perfect, "fitting": np.array([F(1), F(1, 2)], dtype=object)}
    assert BY_ID["interp-1"].margin(imperfect) == 0 and BY_ID["interp-1-kernel"].margin(perfect) == 0
    wrong = {**imperfect, "fitting": np.array([F(1, 2), F(1, 2)], dtype=object)}
    assert BY_ID["interp-1"].margin(wrong) < 0


@pytest.mark.parametrize("identity", ["thm-2.2", "sec-5.2-monotone", "remark-3-increases",
                                      "app-E-proof", "app-E-sign", "def-5.3-similar",
                                      "interp-3-no-information"])
def test_search_alone_refutes(identity):
    from dataclasses import replace

    claim = replace(BY_ID[identity], exhaustive=None)
    verdict = verify(claim, examples=300, budget=8.0, amendment=False)
    assert verdict.status == "refuted", str(verdict)
