"""The browser of tests: a Chromium of the system, which starts without the network."""

import os
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no chromium is here"),
]
"""The marks of a module whose tests open pages."""
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def in_browser(test):
    """Mark a single test that opens pages."""
    for mark in MARKS:
        test = mark(test)
    return test
