"""The processes that tests start find what a desk's would: not the libraries that tests alone bring along, and that
PyArrow would load because they are there."""

import os
from pathlib import Path

import pytest

ABSENT = Path(__file__).parent / "support" / "absent"


def pytest_configure(config: pytest.Config) -> None:
    """Where tests are run: those who hand them out start the runners, which need everything."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ABSENT), os.environ.get("PYTHONPATH", ""))))
