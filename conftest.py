"""Test set-up: one deterministic Hypothesis profile, a deep one by ``--deep``."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

COMMON = {"deadline": None, "derandomize": True, "database": None,
          "suppress_health_check": [HealthCheck.too_slow, HealthCheck.differing_executors]}
settings.register_profile("quick", max_examples=60, **COMMON)
settings.register_profile("deep", max_examples=1500, **COMMON)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--deep", action="store_true", help="long searches and the slow tests")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("deep" if config.getoption("--deep") else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--deep"):
        return
    skip = pytest.mark.skip(reason="slow: run with --deep")
    for item in items:
        if "deep" in item.keywords:
            item.add_marker(skip)
