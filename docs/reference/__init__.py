"""The API reference: one page a module, made from the docstrings, readable offline.

``make docs`` (or ``python -m docs.reference``) writes it.  pdoc reads the modules and lays out the
pages.  What it lacks is here: formulas typeset without MathJax (:mod:`docs.reference.markup`), the
numbers of the paper (:mod:`docs.reference.numbers`), claims beside the names they are about and dark
pages (:mod:`docs.reference.layout`), a page of all names with a filter (:mod:`docs.reference.pages`).
"""
