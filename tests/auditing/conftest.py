"""Metrics that are wrong on purpose, registered as those of another distribution."""

import pytest
from conftest import refresh
from helpers.wrong_metrics import METRICS


@pytest.fixture
def wrong_metrics(tmp_path, monkeypatch):
    """The metrics of `helpers.wrong_metrics`, registered in this process."""
    folder = tmp_path / "wrong" / "wrong-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong\nVersion: 1.0\n")
    lines = [f"{name} = helpers.wrong_metrics:{kind.__name__}" for name, kind in METRICS.items()]
    (folder / "entry_points.txt").write_text("\n".join(["[disentangle.metrics]", *lines]))
    monkeypatch.syspath_prepend(str(folder.parent))
    refresh()
    yield METRICS
    monkeypatch.undo()
    refresh()
