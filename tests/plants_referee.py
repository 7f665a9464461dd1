"""The planted errors of what a hostile reader asked for: border and field of the head, backgrounds apart, findings."""

from __future__ import annotations

from tests.plants import Plant

HEADS, SEPARATION = "tests/heads/test_invariance.py", "tests/separation/test_claims.py"
FINDINGS = "tests/paper_figures/test_report_findings.py"
MONOTONE, INSTANCES = "theory/claims/ledger_5_2/monotone.py", "theory/claims/ledger_5_2/instances.py"

PLANTS = [
    Plant("theory/heads.py", "field.first - layer.padding * field.step", "field.first - layer.padding", HEADS),
    Plant("theory/heads.py", "if start >= 0 and start + last.size <= side)", "if start + last.size <= side)",
          HEADS),
    Plant("theory/claims/ledger_4_follow.py", "row + EXTENT - 1 - field.first) // field.step + 1",
          "row - field.first) // field.step + 1", HEADS),
    Plant("theory/claims/ledger_4_follow.py", "return sum(a != b for a, b in pairs) - 1",
          "return sum(a != b for a, b in pairs) - 6", HEADS),
    Plant(MONOTONE, "g >= 0, g * d == 0, free > 0", "g >= 0, free > 0", SEPARATION),
    Plant(MONOTONE, "separation_bounds(*arguments(instance, key))[1])",
          "separation_bounds(*arguments(instance, key))[0])", SEPARATION),
    Plant(INSTANCES, "[TOP if a else n for a, n in zip(p, numbers, strict=True)]", "numbers", SEPARATION),
    Plant(INSTANCES, "kept = [n if own == classes else 0 for", "kept = [n for", SEPARATION),
    Plant("theory/claims/ledger_5_2/interpretations.py", "z3.Implies(p > 0, level == 1)",
          "z3.Implies(p > 0, level <= 1)", SEPARATION),
    Plant("theory/claims/engine.py", '"counterexample" if self.refuted else "exhaustive"', '"exhaustive"',
          "tests/claims/test_engine.py"),
    Plant("theory/claims/margins.py", 'return f"{number} {noun}" if number == 1 else f"{number} {noun}s"',
          'return f"{number} {noun}s"', "tests/claims/test_engine.py"),
    *(Plant(f"paper_figures/finding_{name}.py", old, new, FINDINGS) for name, old, new in (
        ("maps", '> mean(v["rectangle"]) for v in both', '< mean(v["rectangle"]) for v in both'),
        ("maps", 'deep = max((int(', 'deep = min((int('),
        ("maps", 'get(r, "truth", "") == "l"', 'get(r, "truth", "") != "l"'),
        ("premise", ' if group != "silent")', ")"),
        ("premise", "max(shares) < limit", "min(shares) < limit"),
        ("bound", "if max(kl, default=0.0) > 0:", "if True:"))),
    *(Plant(f"paper_figures/{file}", old, new, f"tests/paper_figures/{test}") for file, old, new, test in (
        ('certificates_one.py', '(-means[k], k)',
         '(means[k], k)', 'test_certificates.py'),
        ('certificates_one.py', 'append(bounds[key]["upper"])',
         'append(bounds[key]["test"])', 'test_certificates.py'),
        ('certificates.py', 'if (g.title, label) not in found[method]]',
         'if (g.title, label) in found[method]]', 'test_certificates.py'),
        ('encoding.py', '(0.0, 1.0) if unit else',
         '(0.0, max(values)) if unit else', 'test_report_words.py'),
        ('theorem_3.py', 'one_legend(panels, 2 * columns)',
         'one_legend(panels, 4)', 'test_theorem_3.py'),
        ('theorem_3.py', 'not in shown for r in select',
         'in shown for r in select', 'test_theorem_3.py'),
        ('relevance_vs_limit.py', 'both = curve(every, "both", grid)',
         'both = every', 'test_relevance_vs_limit.py'),
        ('tables.py', 'lines[k in under].append(',
         'lines[0].append(', 'test_tables.py'),
        ('h1.py', 'SMALL_MISS, top, color=RED',
         '0, SMALL_MISS, color=RED', 'test_report_findings.py'))),
]
