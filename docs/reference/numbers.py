"""The numbers of the paper ("Eq. 12", "Theorem 2", "App. F") that texts of the project refer to."""

from __future__ import annotations

import re

KINDS = {"section": "Section", "sections": "Section", "def": "Definition", "definition": "Definition",
         "eq": "Eq.", "eqs": "Eq.", "theorem": "Theorem", "prop": "Proposition",
         "proposition": "Proposition", "remark": "Remark", "property": "Property", "table": "Table",
         "fig": "Fig.", "figs": "Fig.", "app": "Appendix", "appendix": "Appendix"}
"""Words that stand before a number, in lower case and without a full stop -> the kind."""

ORDER = tuple(dict.fromkeys(KINDS.values()))

_ONE = r"(?:[A-G]\.\d+|[A-G]\b|\d+(?:\.\d+)*)"
_REFERENCE = re.compile(
    rf"\b({'|'.join(sorted(KINDS, key=len, reverse=True))})\.?\s({_ONE}(?:(?:,\s|\sand\s|-){_ONE})*)",
    re.IGNORECASE)
_OTHER_WORK = re.compile(r"(?:\d{4}\)?|al\.),?\s$")  # "Hoeffding 1963, Theorem 2" is not the paper's


def numbers(text: str) -> list[str]:
    """The paper's numbers in a text, each once, ranges written out.

    >>> numbers("Eqs. 2-4 and App. F; see Theorem 2(1) and Eq. 3 (Hoeffding 1963, Theorem 9).")
    ['Eq. 2', 'Eq. 3', 'Eq. 4', 'Appendix F', 'Theorem 2']
    """
    found = []
    for match in _REFERENCE.finditer(text):
        if not _OTHER_WORK.search(text[:match.start()]):
            kind = KINDS[match[1].lower()]
            found += [f"{kind} {one}" for one in _written_out(re.sub(r"\s", " ", match[2]))]
    return list(dict.fromkeys(found))


def sort_key(number: str) -> tuple[object, ...]:
    """Sorts by kind, then as the paper counts.

    >>> sorted(["Eq. 12", "Theorem 1", "Eq. 2", "Section 5.1"], key=sort_key)
    ['Section 5.1', 'Eq. 2', 'Eq. 12', 'Theorem 1']
    """
    kind, _, rest = number.partition(" ")
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in rest.split("."))
    return (ORDER.index(kind), parts)


def _written_out(tail: str) -> list[str]:
    out: list[str] = []
    for part in re.split(r", | and ", tail):
        first, dash, last = part.partition("-")
        if dash and first.isdigit() and last.isdigit():
            out += [str(k) for k in range(int(first), int(last) + 1)]
        else:
            out += [first, last] if dash else [first]
    return out
