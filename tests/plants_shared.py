"""Planted errors in definitions that several rooms share."""

from tests.plants import Plant

METHODS, LOOKS = "tests/test_methods.py", "tests/paper_figures/test_methods.py"
REPEATS, ORIGIN, MAP = "tests/test_repeats.py", "tests/test_provenance.py", "tests/training/test_attention.py"

PLANTS = [
    Plant("theory/methods.py", "isinstance(method, str) and method in HEAD_OF",
          'str(method).startswith("rectangle")', METHODS),
    Plant("theory/methods.py", ' and shape == "rectangle" and count == 1', ' and shape == "rectangle"', METHODS),
    Plant("theory/bounds/evidence.py", 'field(row, "method"), config.get("shape", "rectangle"),',
          'field(row, "method"), "rectangle",', METHODS),
    Plant("theory/repeats.py", "if len(values) < 3:", "if len(values) < 2:", REPEATS),
    Plant("theory/repeats.py", "± {(found.high - found.low) / 2:", "± {found.high - found.low:", REPEATS),
    Plant("theory/provenance.py", '"--porcelain", "--", *folders]', '"--porcelain"]', ORIGIN),
    Plant("theory/provenance.py", "len(os.sched_getaffinity(0)) if", "os.cpu_count() if", ORIGIN),
    Plant("sims/coverage_cells.py", "== (name, n, DELTA, UPPER, DRAWN)", "== (name, n, 0.01, UPPER, DRAWN)",
          "tests/paper_figures/test_table_tightness.py"),
    Plant("paper_figures/methods.py", "ax.errorbar(x, mean, yerr=bars,", "ax.errorbar(x, mean, yerr=bars[::-1],", LOOKS),
    Plant("paper_figures/methods.py", "    ax.minorticks_off()\n", "", LOOKS),
    Plant("paper_figures/methods.py", "handles.setdefault(label, handle)", "handles.setdefault(label, panel)", LOOKS),
    Plant("paper_figures/slack.py", "return 2, len(compared(drawn(rows)))", "return 2, len(compared(select(rows)))",
          "tests/paper_figures/test_certificates.py"),
    Plant("training/attention_base.py", "torch.softmax(self.log_f.float().flatten(1), dim=1)",
          "torch.softmax(self.f.float().flatten(1), dim=1)", MAP),
    Plant("training/attention_base.py", "is not None and self.rectangle.angle.ndim == 1", "is not None", MAP),
]
