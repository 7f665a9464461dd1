"""The planted errors of the claims on held-out and PAC-Bayes bounds."""

from __future__ import annotations

from tests.plants import Plant

PB, HO = "tests/claims/test_ledger_pac_bayes.py", "tests/claims/test_ledger_held_out.py"

PLANTS = [
    Plant('theory/claims/coins.py',
          'term = term * (n - k) // n',
          'term = term * (n - k - 1) // n', PB),
    Plant('theory/claims/ledger_5_1_moment.py',
          'min(4 * n - square, square - PI_ABOVE * n / 2)',
          'min(4 * n - square, square - PI_ABOVE * n)', PB),
    Plant('theory/claims/ledger_5_1_pac_bayes.py',
          'paid = (kl + math.log(2 / toy["delta"])) / n',
          'paid = (kl + math.log(1 / toy["delta"])) / n', PB),
    Plant('theory/claims/ledger_5_1_pac_bayes.py',
          'errors, r = counts @ ~right.T',
          'errors, r = counts @ right.T', PB),
    Plant('theory/claims/ledger_5_1_pac_bayes.py',
          'Fraction(points - d + 1, points) * b',
          'Fraction(points - d, points) * b', PB),
    Plant('theory/claims/ledger_5_1_pac_bayes.py',
          '(w * sum(prior) / p) ** 2 * 4 * n / delta**2)',
          '(w * sum(prior) / p) ** 2 / delta**2 / 4)', PB),
    Plant('theory/claims/ledger_5_1_draws.py',
          'missed += w * (tail < delta and not saved)',
          'missed += w * (tail - equal < delta and not saved)', HO),
    Plant('theory/claims/ledger_5_1_draws.py',
          'exp_kl(k * n, m * n, p) > 1 / i["delta"]',
          'exp_kl(k, m, p) > 1 / i["delta"]', HO),
    Plant('theory/claims/ledger_5_1_held_out.py',
          'k = Fraction((2 * s + 12) // 24)',
          'k = Fraction((2 * s + 23) // 24)', HO),
    Plant('theory/claims/ledger_5_1_held_out.py',
          'betainc(float(n - k), float(k + 1), float(1 - p))',
          'betainc(float(n - k + 1), float(k), float(1 - p))', HO),
    Plant('theory/claims/ledger_5_1_betting.py',
          '1 + (min(a, cap / (1 - m)) if m < 1 else a) * (m - x)',
          '1 + a * (m - x)', HO),
    Plant('theory/claims/ledger_5_1_betting.py',
          'other = capital([1 - x for x in i["losses"]], i["others"], 1 - m',
          'other = capital(i["losses"], i["others"], 1 - m', HO),
]
