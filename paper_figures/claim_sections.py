"""What the report shows of each claim, and in which part of the paper it stands."""

from __future__ import annotations

import re
from typing import Any

from paper_figures import ledger as ledgers
from paper_figures.encoding import items
from paper_figures.fields import plural
from paper_figures.registry import ENTRIES
from paper_figures.typeset import plain, statement

PARTS = {
    "4": "The module (section 4)",
    "5.1": "Generalization (section 5.1)",
    "5.2": "Separation (section 5.2)",
    "F": "Injectivity (appendix F)",
    "6": "Experiments and cost (section 6, appendix G)",
    "other": "Other claims",
}
_PATTERNS = (  # the first that is found in the source of a claim decides
    ("6", r"Table 1\b|section 6|App\. G"),
    ("F", r"App\. F|Prop(?:osition|\.) [34]|Remark 4|Theorem 4|Eq\. 2[56]"),
    ("5.2", r"section 5\.2|Theorem 2|Prop(?:osition|\.) 1|Property 1|Remark 3|Def(?:inition|\.) "
            r"5\.3|App\. [DE]"
            r"|Eqs?\. (?:1[6-9]|2[0-2])"),
    ("5.1", r"section 5\.1|Theorem [13]|Prop(?:osition|\.) 2|Remark [12]|Def(?:inition|\.) "
            r"(?:5\.[12]|C)|H1"
            r"|Eqs?\. 1[0-5]|App\. C|Maurer|Meir|Pinsker|Boucheron|Waudby|Thiemann|Catoni|Rivasplata"
            r"|PAC-Bayes|Langford|Hoeffding"),
    ("4", r"section [34]|Eqs?\. [1-9]|App\. [AB]"),
)
_FIRST = (("4", r"section 4|Eqs?\. [1-9]\b"), ("5.1", r"Theorem 1\b"))
"""Sources that begin with these stand there, whatever else they name."""


def part_of(source: str) -> str:
    """The part of the paper that a source names, a key of ``PARTS``.

    >>> part_of("Theorem 1, Eq. 16"), part_of("Eq. 8, Eq. 23"), part_of("beyond the paper (App. F)")
    ('5.1', '4', 'F')
    """
    found = [part for part, pattern in _FIRST if re.match(pattern, source)]
    found += [part for part, pattern in _PATTERNS if re.search(pattern, source)]
    return found[0] if found else "other"


def sections(ledger: dict[str, Any]) -> list[dict[str, Any]]:
    """What the template shows of every claim, in the order of ``PARTS``, then of the ledger."""
    ids = {v["id"] for v in ledger["verdicts"]}
    titles = {v["id"]: plain(v.get("title") or v["id"]) for v in ledger["verdicts"]}
    amends: dict[str, list[str]] = {}
    for v in ledger["verdicts"]:
        if v.get("amendment"):
            amends.setdefault(v["amendment"], []).append(v["id"])
    found = [_section(v, ledger, ids, titles, amends) for v in ledger["verdicts"]]
    return sorted(found, key=lambda c: list(PARTS).index(c["part"]))


def _section(v: dict[str, Any], ledger: dict[str, Any], ids: set[str], titles: dict[str, str],
             amends: dict[str, list[str]]) -> dict[str, Any]:
    from markupsafe import Markup

    evidence = [e for e in v.get("evidence") or [] if isinstance(e, dict)]
    origin = str(v.get("origin") or "")
    return {
        **{name: v.get(name) or "" for name in (
            "id", "source", "kind", "code", "test", "undefined_why")},
        **{name: linked(plain(v.get(name) or ""), ids) for name in ("words", "assumptions")},
        "title": titles[v["id"]], "status": v["status"], "part": part_of(str(v.get("source") or "")),
        "origin": origin, "origin_words": ledgers.ORIGINS.get(origin, origin),
        "statement": Markup(statement(str(v.get("statement") or ""))),
        "recorded": v.get("recorded"), "changed": v.get("recorded") != v["status"],
        "evidence": [_evidence(e) for e in evidence],
        "kinds": ", ".join(dict.fromkeys(str(e.get("kind", "")) for e in evidence)),
        "margin": ledgers.margin_text(v.get("worst_margin")),
        "seconds": v.get("seconds"),
        "counterexample": _instance(v.get("counterexample")),
        "counterexample_margin": ledgers.margin_text(v.get("counterexample_margin")),
        "undefined_at": _instance(v.get("undefined_at")),
        "amendment": v.get("amendment") or "", "amendment_known": v.get("amendment") in ids,
        "amendment_title": titles.get(v.get("amendment") or "", ""),
        "amends": amends.get(v["id"], []),
        "figures": figures_of(str(v.get("figure") or "")),
        "equality": v.get("kind") == "equality",
        "replay": f"python -m theory verify {v['id']} --seed {ledger.get('seed', 0)}"
                  + (" --deep" if ledger.get("mode") == "deep" else ""),
    }


def linked(text: str, ids: set[str]) -> Any:
    """Text as HTML in which the ids of claims are links (words without a hyphen are not taken for ids).

    >>> str(linked("by h1-random, thm-1.", {"h1-random", "h1", "thm-1"}))
    'by <a href="#claim-h1-random">h1-random</a>, <a href="#claim-thm-1">thm-1</a>.'
    """
    from markupsafe import Markup, escape

    names = "|".join(re.escape(i) for i in sorted(ids, key=len, reverse=True) if "-" in i)
    if not names:
        return escape(text)
    parts = re.split(rf"(?<![\w.-])({names})(?![\w-]|\.\w)", text)
    return Markup("").join(Markup('<a href="#claim-{0}">{0}</a>').format(part) if k % 2 else part
                           for k, part in enumerate(parts))


def statements(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The paper's own theorems and propositions: the sections whose source begins with one."""
    return [c for c in found if c["origin"] == "paper"
            and re.match(r"(Theorem|Prop(osition|\.)) ?\d", c["source"])]


def _evidence(e: dict[str, Any]) -> dict[str, str]:
    text, notes = str(e.get("text", "")), []
    if isinstance(e.get("instances"), int) and f"{e['instances']} instance" not in text:
        notes.append(plural(e["instances"], "instance"))
    if e.get("closest") is not None and "margin" not in text and "from 0" not in text:
        notes.append(f"closest margin {ledgers.margin_text(e['closest'])}")
    return {"kind": str(e.get("kind", "")), "text": text, "notes": "; ".join(notes)}


def figures_of(field: str) -> list[tuple[str, str]]:
    """``(words, name)`` of the figures a claim names; the name is empty where there is none here.

    >>> figures_of("Fig. 2, rademacher_vs_n, Fig. 99")
    [('Fig. 2', 'fig02_window'), ('rademacher_vs_n', 'rademacher_vs_n'), ('Fig. 99', '')]
    """
    out = []
    for words in filter(None, (part.strip() for part in field.split(","))):
        number = re.fullmatch(r"(Fig\.|Figure|Table)\s*(\d+)", words)
        start = words.removesuffix(".py").split("/")[-1]
        if number:
            start = f"table{number[2]}" if number[1] == "Table" else f"fig{int(number[2]):02d}_"
        found = [n for n in ENTRIES if n == start or (number and n.startswith(start))]
        out.append((words, found[0] if found else ""))
    return out


def _instance(value: Any) -> dict[str, Any] | None:
    """Drawings and table rows of an instance, or None."""
    from markupsafe import Markup

    if value is None:
        return None
    parts = items(value)
    return {"drawn": [(i.name, Markup(i.svg)) for i in parts if i.svg],
            "masks": any("cells are +1" in i.svg for i in parts),
            "table": [(i.name, i.text) for i in parts if not i.svg]}
