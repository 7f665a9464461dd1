"""Documents of quadrat, and :mod:`docs.reference`, which makes the pages of all public names."""
