"""The table of certificates: means over the seeds of the bounds of the rows, by a loop of its own."""

import pytest

from paper_figures import table_certificates
from paper_figures.fields import FieldError
from tests.paper_figures.test_certificates import paper_rows, rows
from theory.bounds.table import table as bounds_of


def test_cells_are_means_of_the_bounds():
    found = rows() + rows("positionwise") + paper_rows()
    made = table_certificates.table(found)
    names = {name: key for key, name in table_certificates.SHOWN.items()}
    assert [line[:2] for line in made.lines] == [(m, n) for m in ("rectangle", "position-wise") for n in ("20", "40")]
    assert made.rules == (2,) and len(made.columns) == 3 + len(names)
    for line in made.lines:
        method = {"rectangle": "rectangle", "position-wise": "positionwise"}[line[0]]
        for name, cell in zip(made.columns[3:], line[3:], strict=True):
            keys = [k for k, n in table_certificates.SHOWN.items() if n == name]
            source = "rectangle-paper" if (method, name) == ("rectangle", "norm (L)") else method
            uppers = [b["upper"] for r in found if r["method"] == source and r["n"] == int(line[1])
                      for b in bounds_of(r, 0.05) if (b["bound"], b["predictor"]) in keys]
            assert len(uppers) == 2 and float(cell) == pytest.approx(sum(uppers) / 2, abs=0.00051), (line, name)
        assert line[2] == "0.062"


def test_a_bound_that_some_rows_lack_is_a_dash():
    found = rows()
    del found[0]["certificate"]["initial"]
    made = table_certificates.table(found)
    where = made.columns.index("start, kl")
    assert [line[where] for line in made.lines] == ["–", made.lines[1][where]] and made.lines[1][where] != "–"
    assert "means over 2 seeds" in table_certificates.caption(found)
    with pytest.raises(FieldError, match="no rows with a certificate"):
        table_certificates.table([{"method": "none"}])
