"""`disentangle doctor`: what a bug report needs."""

import json

import pytest

from disentangle.cli import doctor
from disentangle.contracts import entry_points


@pytest.fixture
def healthy(monkeypatch):
    """Plugins are not imported: that takes seconds, and is tested with the registry."""
    monkeypatch.setattr(doctor.registry, "check_imports", lambda: iter(()))


def test_report_names_versions_devices_folders_and_datasets(healthy, command, tmp_path):
    code, out, _ = command("doctor", "--data-dir", tmp_path / "data")
    assert code == 0
    for text in ("disentangle-bench", "torch", "cpu", f"{tmp_path / 'data'}: ", "not exist yet"):
        assert text in out
    assert "dsprites" in out


def test_report_is_json_when_asked_for(healthy, command):
    code, out, _ = command("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert list(found) == ["system", "packages", "devices", "folders", "datasets", "problems"]
    assert found["problems"] == []


def test_plugins_with_problems_are_named_with_their_distribution(strangers, command, monkeypatch):
    broken = next(e for e in entry_points.every_entry() if e.name == "broken")
    monkeypatch.setattr(
        doctor.registry,
        "check_imports",
        lambda: iter([(broken, f"{broken.who} cannot be imported")] * 2 + [(broken, "")]),
    )
    code, out, err = command("doctor")
    assert code == 1
    assert "model 'broken' of strangers 3.1 cannot be imported" in out
    assert "plugins have problems: 1" in err  # as one cause is told once


def test_folder_that_cannot_be_written_to_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert doctor.folder(tmp_path).startswith(f"{tmp_path}: not writable, ")


def test_package_that_is_missing_is_said():
    assert doctor.version("no-such-distribution") == "not installed"
