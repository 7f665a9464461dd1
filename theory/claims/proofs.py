"""Small machine-checked proofs: lemmas by z3, identities by SymPy, induction over positions."""

from __future__ import annotations

from typing import Any

from theory.claims.model import Proof

TIMEOUT_MS = 5000


def smt(text: str, *lemmas: Any) -> Proof:
    """Proof whose lemmas (z3 formulas, free variables universally quantified) z3 finds valid.

    The result is True if the negation of every lemma is unsatisfiable, else None: a lemma with a
    counterexample (shown in the text) fails the argument, it does not refute the statement.
    """
    import z3

    for number, lemma in enumerate(lemmas, 1):
        solver = z3.Solver()
        solver.set("timeout", TIMEOUT_MS)
        solver.set("ctrl_c", False)  # an interrupt must not look like "z3 gave up"
        solver.add(z3.Not(lemma))
        outcome = solver.check()
        if outcome == z3.sat:
            return Proof(None, f"Lemma {number} fails: {solver.model()}. {text}", "SMT")
        if outcome != z3.unsat:
            return Proof(None, f"z3 gave up on lemma {number}. {text}", "SMT")
    return Proof(True, f"{text} (z3: {len(lemmas)} lemma{'s' * (len(lemmas) != 1)} valid)", "SMT")


def symbolic(text: str, *identities: Any) -> Proof:
    """Proof whose SymPy expressions all simplify to 0."""
    import sympy

    for number, expression in enumerate(identities, 1):
        if sympy.simplify(sympy.together(expression)) != 0:
            return Proof(None, f"SymPy does not reduce identity {number} to 0. {text}", "symbolic")
    word = "identity" if len(identities) == 1 else "identities"
    return Proof(True, f"{text} (SymPy: {len(identities)} {word} reduced to 0)", "symbolic")


def induction(text: str, base: Any, step: Any, conclusion: Any | None = None) -> Proof:
    """Induction over the positions of the grid: base case, step and conclusion are z3 formulas."""
    lemmas = [base, step] + ([] if conclusion is None else [conclusion])
    return smt(f"Induction on the number of positions. {text}", *lemmas)
