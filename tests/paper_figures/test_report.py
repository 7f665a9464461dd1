"""The report: one page, nothing from outside, every claim on it, gaps marked in place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from paper_figures.__main__ import main
from paper_figures.claim_sections import part_of
from paper_figures.ledger import LedgerError, load
from paper_figures.report import write_report
from tests.paper_figures.make_ledger import ledger, training_rows, verdict
from tests.paper_figures.make_report import few, fill, write
from tests.paper_figures.page import Page


@pytest.fixture(autouse=True)
def few_figures():
    with few():
        yield


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    with few():
        report = write_report(fill(folder / "run"), folder / "out", folder)
    text = Path(report.path).read_text()
    return text, Page(text), report


def section(text, id):
    start = text.index(f'<article id="claim-{id}"')
    return text[start:text.index("</article>", start)]


def test_it_parses_and_asks_nothing_from_outside(page):
    text, parsed, _ = page
    for tag, address in parsed.addresses:
        assert address.startswith(("#", "data:")), (tag, address)
    assert "@import" not in text and not re.search(r"url\(\s*['\"]?(?!data:|#|%23)", text)
    assert len(parsed.addresses) > 20


def test_every_claim_is_there_once_and_every_link_has_a_target(page):
    _, parsed, _ = page
    assert len(parsed.ids) == len(set(parsed.ids))
    for v in ledger()["verdicts"]:
        assert f"claim-{v['id']}" in parsed.ids
    for _, address in parsed.addresses:
        if address.startswith("#"):
            assert address[1:] in parsed.ids, address


def test_counts_are_computed(page):
    text, parsed, report = page
    counted = dict(found[::-1] for found in re.findall(
        r'class="number">(\d+)</span> <span class="badge ([a-z-]+)"', text))
    assert counted == {"unrefuted": "1", "refuted": "2", "vacuous": "1", "ill-posed": "1",
                       "measured": "1", "unchecked": "1"}  # the paper's own
    assert report.summary == ("8 claims: 1 holds, 1 unrefuted, 2 refuted, 1 vacuous, 1 ill-posed, "
                              "1 measured, 1 unchecked; 1 verdict changed")
    assert "1 verdict changed" in text and 'href="#claim-sec-4.3"' in text
    assert report.missing == () and report.broken == () and report.notes == ()


def test_the_first_screen_leads_with_the_papers_own_statements(page, tmp_path):
    text, _, _ = page
    first = text[text.index("<header>"):text.index("</header>")]
    assert "The paper makes 7 of them, counted by sentence" in first and "All 8" not in first[:first.index("counts")]
    own = re.findall(r'data-status="([a-z-]+)" data-origin="paper"><span class="number">(\d+)<', first)
    mine = [v for v in ledger()["verdicts"] if v["origin"] == "paper"]
    assert dict(own) == {s: str(sum(v["status"] == s for v in mine)) for s in {v["status"] for v in mine}}
    assert first.count('class="number"') == len(own)  # no other origin in the large numbers
    assert first.index('class="counts"') < first.index('class="besides"')
    assert re.search(r"Beside them, amended: <strong>1</strong> \(1 holds\)", first)

    lone = ledger(verdicts=[verdict("a", "holds", origin="beyond"), verdict("b", "refuted", origin="")])
    (tmp_path / "ledger.json").write_text(json.dumps(lone))
    text = write_report(tmp_path, tmp_path, tmp_path).path.read_text()
    first = text[text.index("<header>"):text.index("</header>")]
    assert "No statement of the paper" in first and "class=\"number\"" not in first
    assert "beyond the paper: <strong>1</strong> (1 holds)" in first
    assert "of no stated origin: <strong>1</strong> (1 refuted)" in first


def test_counts_by_origin_add_up(page):
    text, _, _ = page
    table = text[text.index('<table class="tally">'):]
    table = table[:table.index("</table>")]
    lines = [[int(n) for n in re.findall(r">(\d+)<", line)] for line in table.split("<tr")[2:]]
    assert all(sum(line[:-1]) == line[-1] for line in lines)
    assert [sum(column) for column in zip(*lines[:-1], strict=True)] == lines[-1] == [7, 1, 8]
    assert 'aria-label="2 refuted, the paper"' in table


def test_the_statements_of_the_paper_are_listed_with_what_holds_instead(page):
    text, _, _ = page
    stands = text[text.index('<ul class="main">'):]
    stands = stands[:stands.index("</ul>")]
    assert stands.count("<li>") == 1, stands
    assert 'badge vacuous' in stands and 'href="#claim-thm-1"' in stands
    assert 'href="#claim-thm-1-ceiling"' in stands


def test_claims_stand_in_their_part(page):
    text, _, _ = page
    assert part_of("Theorem 1, Eq. 16") == "5.1" and part_of("Eq. 6, Eq. 26") == "4"
    assert part_of("beyond the paper (Prop. 4, Eq. 7)") == "F" and part_of("anything") == "other"
    assert part_of("section 5.2, text before Eq. 17 and before Theorem 2") == "5.2"
    assert part_of("section 6, App. G") == "6"
    row = text[text.index('<tr data-id="thm-1"'):]
    assert text.rindex('<tbody data-part="5.1"', 0, text.index(row)) > text.index('<table class="ledger">')


def test_every_claim_of_the_project_has_a_part():
    from theory.claims.ledger import ledger as every_claim

    assert {part_of(c.source) for c in every_claim().values()} == {"4", "5.1", "5.2", "F", "6"}


def test_a_section_says_all_of_a_verdict(page):
    text, _, _ = page
    thm = section(text, "thm-1")
    assert "<math" in thm and "<mfrac>" in thm and "Theorem 1: generalization" in thm
    assert "z3: the ceiling implies it" in thm and "12345 instances" in thm
    assert "random samples &amp; &lt;masks&gt;" in thm  # escaped
    assert "python -m theory verify thm-1 --seed 3" in thm
    assert 'href="#claim-thm-1-ceiling"' in thm and "closest margin: 1/3" in thm
    assert 'href="#claim-thm-1"' in section(text, "thm-1-ceiling")
    assert "not in this ledger" in section(text, "prop-4")
    assert "recorded as unchecked" in section(text, "sec-4.3")
    assert "<code>\\notacommand{x}</code>" in section(text, "eq-5")
    assert "Eq. 5 divides by H - 1" in section(text, "eq-5")
    assert 'href="#figure-fig02_window"' in section(text, "sec-5.2-monotone")


def test_counterexamples_are_drawn(page):
    text, _, _ = page
    masks = section(text, "sec-5.1")
    assert masks.count("<svg") == 2 and 'aria-label="a: 2 by 3 grid, 3 of 6 cells are +1"' in masks
    kinds = re.findall('rect class="(on|off)"', masks)
    assert kinds[:6] == ["on", "off", "off", "on", "on", "off"]
    assert masks.count('class="on"') == 6 and masks.count('class="off"') == 6
    assert "two halves" in masks and "[2, 3]" in masks and "-1/3" in masks
    bars = section(text, "sec-5.2-monotone")
    assert 'aria-label="pure: 1/3, 1/3, 1/3"' in bars and "0.99" in bars
    assert 'fill-opacity="0.250"' in bars and "map (1 filled, 0 empty)" in bars and "rectangle (Rectangle).angle" in bars


def test_both_sources_of_rows_are_shown_and_named(tmp_path):
    run = fill(tmp_path / "run")
    (tmp_path / "rows").mkdir()
    for name in ("rademacher", "training", "certificates"):
        (tmp_path / "rows" / f"{name}.jsonl").write_bytes((run / f"{name}.jsonl").read_bytes())
    report = write_report(run, tmp_path / "out", tmp_path / "rows")
    text = report.path.read_text()
    assert len(Page(text).alts) == 1 + 2 * 4 + 2  # a figure without rows, four twice, two findings
    assert text.count('class="source">this run<') == text.count('class="source">committed rows<') == 4
    facts = text[text.index('id="figure-rademacher_vs_n"'):]
    assert "<dt>rows</dt><dd>25 of rademacher.jsonl</dd><dt>version</dt><dd>0.1.0</dd>" in facts
    facts = text[text.index('id="figure-bound_vs_data"'):]
    assert "<dt>commit</dt><dd>0123abc</dd>" in facts and "<dt>seeds</dt><dd>0, 1</dd>" in facts
    assert "<dt>machine</dt><dd>test machine</dd>" in facts
    assert "<dt>wall time of these rows</dt><dd>1 min 12 s in all, at most 3.0 s a row</dd>" in facts


def test_an_empty_run_is_reported_in_place(tmp_path, capsys):
    run = fill(tmp_path / "run", with_ledger=False, with_rows=False)
    code = main(["report", "--run", str(run), "--out", str(tmp_path / "out"), "--rows", str(run)])
    captured = capsys.readouterr()
    assert code == 0 and "ledger.json is not there" in captured.out
    assert captured.err.count("missing:") == 4  # the ledger and three files of rows, each once
    text = (tmp_path / "out" / "index.html").read_text()
    assert "The ledger is missing" in text and text.count("<strong>Missing.</strong>") == 4 + 3
    assert len(Page(text).alts) == 1


def test_committed_rows_stand_in_for_a_run_without_rows(tmp_path):
    source = fill(tmp_path / "rows", with_ledger=False)
    run = fill(tmp_path / "run", with_rows=False)
    report = write_report(run, tmp_path / "out", source)
    text = report.path.read_text()
    assert text.count('class="source">committed rows<') == 4 and len(Page(text).alts) == 1 + 4 + 2
    assert text.count("This run computed none of it (no ") == 4 and report.missing == ()
    assert report.elsewhere == ("certificates.jsonl", "rademacher.jsonl", "training.jsonl")


def test_broken_inputs_are_marked_and_exit_with_1(tmp_path, capsys):
    run = fill(tmp_path / "run")
    (run / "ledger.json").write_text('{"schema": 1, "verd')
    rows = training_rows()
    for row in rows:
        del row["train"]
    write(run / "training.jsonl", rows)
    (run / "rademacher.jsonl").write_text('{"key": \n{}\n')
    code = main(["report", "--run", str(run), "--out", str(tmp_path), "--rows", str(tmp_path)])
    captured = capsys.readouterr()
    assert code == 1 and captured.err.count("unreadable:") == 3
    text = (tmp_path / "index.html").read_text()
    Page(text)
    assert "not JSON" in text and "rademacher.jsonl:1" in text
    assert "training.jsonl:1" in text and "lacks the field" in text
    assert len(Page(text).alts) == 1 + 2 + 2  # without rows, certificates and slack, findings


def test_what_can_be_drawn_is_and_what_was_left_out_is_named(tmp_path, capsys):
    run = fill(tmp_path / "run")
    rows = training_rows()
    del rows[3]["train_areas"]
    lines = [json.dumps(r) for r in rows]
    lines[1] = lines[1][:40]
    rows[5]["version"] = "0.0.9"
    lines[5] = json.dumps(rows[5])
    (run / "training.jsonl").write_text("\n".join(lines) + '\n{"key": "cut o')
    code = main(["report", "--run", str(run), "--out", str(tmp_path), "--rows", str(tmp_path)])
    err = capsys.readouterr().err
    assert code == 1 and err.count("unreadable:") == 1
    text = (tmp_path / "index.html").read_text()
    part = text[text.index('id="figure-bound_vs_data"'):]
    part = part[:part.index("</figure>")]
    assert "<img" in part and "<strong>Incomplete.</strong>" in part
    for words in ("training.jsonl:2: not a JSON row", "training.jsonl:4: row", "train_areas",
                  f"training.jsonl:{len(rows) + 1}: the last line is unfinished",
                  "training.jsonl:6: rows of version 0.0.9 after rows of version 0.1.0"):
        assert words in part, words
    assert f"<dt>rows</dt><dd>{len(rows) - 2} of training.jsonl" in part


@pytest.mark.parametrize("damage", ["line", "field"])
def test_one_unusable_row_is_enough_to_exit_with_1(tmp_path, capsys, damage):
    run = fill(tmp_path / "run")
    rows = training_rows()
    if damage == "field":
        del rows[3]["train_areas"]
    write(run / "training.jsonl", rows)
    if damage == "line":
        text = (run / "training.jsonl").read_text()
        (run / "training.jsonl").write_text("{}\n" + text)
    assert main(["report", "--run", str(run), "--out", str(tmp_path), "--rows", str(tmp_path)]) == 1
    assert "<strong>Incomplete.</strong>" in (tmp_path / "index.html").read_text()


def test_a_truncated_end_or_mixed_versions_are_noted_and_exit_with_0(tmp_path, capsys):
    run = fill(tmp_path / "run")
    path = run / "rademacher.jsonl"
    path.write_text(path.read_text() + '{"key": "cut o')
    assert main(["report", "--run", str(run), "--out", str(tmp_path), "--rows", str(tmp_path)]) == 0
    assert "note: " in (err := capsys.readouterr().err) and "rademacher.jsonl:26" in err
    text = (tmp_path / "index.html").read_text()
    assert "<strong>Note.</strong>" in text and "<strong>Incomplete.</strong>" not in text


def test_assumptions_are_those_of_the_rows_that_are_drawn(tmp_path):
    run = fill(tmp_path / "run")
    rows = training_rows()
    other = {**rows[0], "key": "other", "grid": [3, 4], "config": {**rows[0]["config"], "steps": 7}}
    write(run / "training.jsonl", [*rows, other])
    text = write_report(run, tmp_path / "out", tmp_path).path.read_text()
    part = text[text.index('id="figure-bound_vs_data"'):]
    part = part[:part.index("</figure>")]
    assert "1 rows of other methods or configurations are not drawn" in part
    assert f"<dt>rows</dt><dd>{len(rows)} of training.jsonl" in part and "12 × 12</li>" in part
    assert "3 × 4" not in part and re.search(r'state unknown">unknown</span> <strong>no atoms', part)


def test_a_figure_that_raises_does_not_cost_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr("paper_figures.fig02_window.caption", lambda rows: 1 / 0)
    report = write_report(fill(tmp_path / "run"), tmp_path / "out", tmp_path)
    text = report.path.read_text()
    assert "ZeroDivisionError" in text and len(report.broken) == 1 and len(Page(text).alts) == 4 + 2


@pytest.mark.parametrize("field", ["grid", "method", "floor", "train_areas", "config"])
def test_one_odd_row_does_not_cost_the_page(tmp_path, field):
    run = fill(tmp_path / "run")
    for odd in (..., ["a", 1]):
        rows = training_rows()
        rows[0] = {k: v for k, v in {**rows[0], field: odd}.items() if v is not ...}
        write(run / "training.jsonl", rows)
        with few(("fig02_window", "bound_vs_data")):
            text = write_report(run, tmp_path / "out", tmp_path).path.read_text()
        assert 'id="figure-bound_vs_data"' in text and 'id="figure-fig02_window"' in text
        part = text[text.index('id="figure-bound_vs_data"'):]
        part = part[:part.index("</figure>")]
        assert "Missing." in part or "Incomplete." in part or "state " in part
        if field == "grid" and odd is ...:
            assert "<img" in part


@pytest.mark.parametrize("field", ["iou", "accuracy"])
@pytest.mark.parametrize("folder", ["run", "rows"])
def test_a_row_left_out_on_a_card_alone_is_told(tmp_path, capsys, field, folder):
    """The picture of the maps reads the IoU, their words the accuracy too; no figure here does."""
    run, rows = fill(tmp_path / "run"), tmp_path / "rows"
    rows.mkdir()
    for place in (run, rows):
        held = training_rows()
        if place.name == folder:
            del held[2]["test"][field]
        write(place / "training.jsonl", held)
    code = main(["report", "--run", str(run), "--out", str(tmp_path), "--rows", str(rows)])
    said = [t for t in capsys.readouterr().err.splitlines() if t.startswith("unreadable")]
    place = tmp_path / folder / "training.jsonl"
    assert code == 1 and said == [f"unreadable: finding_maps: {place}:3: row {held[2]['key']!r} lacks "
                                  f"the field 'test.{field}'; left out"]
    shown = f"{place}:3: row" in (tmp_path / "index.html").read_text()
    assert shown == (folder == "rows")  # the card shows the committed rows


def test_tables_are_tables(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from paper_figures.registry import Entry
    from paper_figures.tables import Table

    entry = Entry("heads", "A table", kind="table")
    module = SimpleNamespace(table=lambda rows: Table(("head", "n"), (("a & b", "1"),)),
                             caption=lambda rows: "What is counted; no error bars.")
    monkeypatch.setattr(Entry, "module", lambda self: module)
    monkeypatch.setattr("paper_figures.report.ENTRIES", {"heads": entry})
    text = write_report(fill(tmp_path / "run"), tmp_path / "out", tmp_path).path.read_text()
    part = text[text.index('id="figure-heads"'):]
    assert "<table" in part and "a &amp; b" in part and "What is counted" in part
    Page(text)


def test_no_run_directory_exits_with_2(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["report", "--run", str(tmp_path / "no"), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert "does not exist" in captured.err and not out.exists() and captured.out == ""
    with pytest.raises(SystemExit) as stop:
        main(["report"])
    assert stop.value.code == 2


def test_the_last_line_says_where_and_what(tmp_path, capsys):
    run = fill(tmp_path / "run")
    assert main(["report", "--run", str(run), "--out", str(tmp_path), "--rows", str(tmp_path)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(str(tmp_path / "index.html") + ": 8 claims: 1 holds")
    assert last.endswith("1 verdict changed")


@pytest.mark.parametrize("content,words", [
    ("[]", "schema must be 1, got 'list'"),
    ('{"schema": 2}', "schema must be 1, got 2"),
    ('{"schema": 1, "verdicts": []}', "at least one verdict"),
    ('{"schema": 1, "verdicts": [3]}', "verdict 0 is no object"),
    ('{"schema": 1, "verdicts": [{"id": "a"}]}', "verdict 0 lacks 'status'"),
    ('{"schema": 1, "verdicts": [{"id": "a", "status": "true"}]}', "status must be one of"),
    (json.dumps({"schema": 1, "verdicts": [verdict("a", "holds")] * 2}), "stands twice"),
    ("nonsense", "not JSON"),
])
def test_bad_ledgers(tmp_path, content, words):
    path = tmp_path / "ledger.json"
    path.write_text(content)
    with pytest.raises(LedgerError, match=words):
        load(path)


def test_a_verdict_with_the_bare_minimum_is_shown(tmp_path):
    (tmp_path / "ledger.json").write_text(
        json.dumps({"schema": 1, "verdicts": [{"id": "a", "status": "holds"}]}))
    report = write_report(tmp_path, tmp_path, tmp_path)
    assert report.summary == "1 claim: 1 holds; 0 verdicts changed, 1 not recorded yet"
    assert "claim-a" in Page(report.path.read_text()).ids
