"""Fixtures that the tests of several plugins share."""

import os
from pathlib import Path

import pytest

from disentangle.data.location import Location
from disentangle_plugins.datasets import dsprites


@pytest.fixture(scope="session")
def dsprites_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder in which dSprites is prepared, one for all of xdist's workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "data"
    dsprites.open(Location(folder=folder / "dsprites"))
    return folder
