"""Runs loaded by name in Python."""

import shutil
from pathlib import Path

import pytest

from disentangle import encode, load_run, resume, score
from disentangle.errors import DisentangleError
from disentangle.runs.labels import write_label


def test_run_is_loaded_by_its_folder_else_by_its_name_or_id_in_results(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = shutil.copytree(run.path, tmp_path / "results" / "tiny" / "vae" / "0a1b2c3d4e")
    write_label(named, name="first")
    for given in ("first", "0a1b", "results/tiny/vae/0a1b2c3d4e", named):
        assert load_run(given).path.resolve() == named
    shutil.copytree(run.path, tmp_path / "first")
    assert load_run("first").path.resolve() == tmp_path / "first"


def test_verbs_take_a_name_too(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = shutil.copytree(run.path, tmp_path / "results" / "tiny" / "vae" / "0a1b2c3d4e")
    write_label(named, name="first")
    assert "mig" in score("first", ["mig"])
    assert encode("first", "codes.npz") == [Path("codes.npz")]
    assert resume("first").path.resolve() == named


def test_unknown_name_is_said_to_be_neither_folder_nor_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DisentangleError, match=r"lost: not a run .*, nor the name or id of a run"):
        load_run("lost")
