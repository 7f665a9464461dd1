"""A small ledger.json with every status and every kind of counterexample; rows to go with it."""

from __future__ import annotations

from typing import Any

PROVENANCE = {"command": "python -m theory verify --json ledger.json", "machine": "test machine",
              "python": "3.11.7", "numpy": "2.4.6", "commit": "0123abc"}


def verdict(id: str, status: str, **fields: Any) -> dict[str, Any]:
    """One verdict with the fields of the format."""
    return {
        "id": id, "title": f"Title of {id}", "source": "Eq. 12", "origin": "paper",
        "kind": "inequality", "statement": r"\Phi(a,b) \in [0,1]", "words": "In words.",
        "assumptions": "a and b are masks", "code": "theory.rates.missing_rate",
        "test": "tests/test_rates.py", "figure": "", "status": status, "recorded": status,
        "evidence": [{"kind": "property-based", "text": "random masks", "instances": 2000,
                      "closest": 0.0}],
        "worst_margin": 0.0, "counterexample": None, "counterexample_repr": "",
        "counterexample_margin": None, "undefined_at": None, "undefined_why": "",
        "amendment": None, "seconds": 0.4, **fields,
    }


def ledger(**changes: Any) -> dict[str, Any]:
    """The fixture."""
    mask = {"array": [[1, -1, -1], [1, 1, -1]], "dtype": "int8"}
    other = {"array": [[-1, -1, 1], [-1, 1, 1]], "dtype": "int8"}
    third = {"fraction": "1/3"}
    verdicts = [
        verdict("thm-1", "vacuous", title="Theorem 1: generalization of the missing rate",
                source="Theorem 1, Eq. 16",
                statement=r"R(f)\le\hat R(f)+\tfrac{1-\rho}{2}+3\sqrt{\tfrac{\log(2/\delta)}{2N}}",
                amendment="thm-1-ceiling",
                evidence=[{"kind": "SMT", "text": "z3: the ceiling implies it", "instances": None,
                           "closest": None},
                          {"kind": "property-based", "text": "random samples & <masks>",
                           "instances": 12345, "closest": "1/3"}], worst_margin="1/3"),
        verdict("thm-1-ceiling", "holds", origin="amended", statement=r"R(f)\le\frac{1-\rho}{2}"),
        verdict("sec-5.1", "refuted", kind="equality",
                statement=r"\rho(\mathcal A_{ours}) > \rho(\mathcal A_{pw})",
                counterexample={"a": mask, "b": other, "note": "two halves", "k": [2, 3]},
                counterexample_repr="{...}", counterexample_margin="-1/3", worst_margin="-1/3"),
        verdict("sec-5.2-monotone", "refuted", figure="paper_figures/fig02_window.py",
                counterexample={"pure": {"array": [third, third, third], "dtype": "object"},
                                "fitting": {"array": [0.0, 0.99, 1.0], "dtype": "float64"},
                                "rectangle": {"type": "Rectangle", "center":
                                              {"array": [0.5, 0.25], "dtype": "float64"},
                                              "angle": 0.3},
                                "map": {"array": [[0.25, 0.5], [1.0, 0.0]], "dtype": "float64"}},
                counterexample_margin=-0.98),
        verdict("eq-5", "ill-posed", undefined_at={"H": 1, "W": 3},
                undefined_why="Eq. 5 divides by H - 1", statement=r"\notacommand{x}"),
        verdict("sec-4.3", "measured", kind="empirical", recorded="unchecked",
                evidence=[{"kind": "measured", "text": "1.7 ms against 1.2 ms, n = 50",
                           "instances": None, "closest": None}], worst_margin=None),
        verdict("h1", "unchecked", evidence=[], worst_margin=None, seconds=None),
        verdict("prop-4", "unrefuted", amendment="nowhere"),
    ]
    return {"schema": 1, "version": "0.1.0", "seed": 3, "mode": "quick", "seconds": 41.2,
            "provenance": PROVENANCE, "verdicts": verdicts, **changes}


def training_rows() -> list[dict[str, Any]]:
    """Rows of trained networks, two seeds, three sizes, both methods and supervisions."""
    rows = []
    for method in ("rectangle", "positionwise"):
        for supervision in ("label", "mask"):
            for k, n in enumerate((64, 256, 1024)):
                for seed in (0, 1):
                    rows.append({
                        "schema": 1, "version": "0.1.0", "kind": "training",
                        "key": f"{method}/{supervision}/{n}/{seed}", "method": method,
                        "supervision": supervision, "n": n, "seed": seed, "grid": [12, 12],
                        "train": {"missing_rate": 0.06 + 0.01 * k + 0.01 * seed},
                        "test": {"missing_rate": 0.22 - 0.05 * k + 0.02 * seed,
                                 "missing_rate_se": 0.004, "accuracy": 0.9 + 0.01 * k,
                                 "iou": (0.3 if method == "rectangle" else 0.2) + 0.1 * k},
                        "n_test": 500, "config": {"steps": 450, "method": method, "supervision": supervision,
                                   "n": n, "seed": seed},
                        "trivial": {"all_background": {"missing_rate": 0.17, "iou": 0.0},
                                    "all_foreground": {"missing_rate": 0.83, "iou": 0.17}},
                        "train_areas": {"20": n // 2, "30": n - n // 2}, "seconds": 3.0,
                        "provenance": PROVENANCE,
                    })
    return rows
