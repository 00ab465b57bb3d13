"""The verb `report` in Python: it takes what the command takes, and a run."""

import shutil

import pytest

import disentangle
from disentangle.errors import DisentangleError
from disentangle.reports import pages
from disentangle.runs.labels import write_label
from disentangle.runs.layout import run_folder

STUDY = 'runs_of = ["other.toml"]\n[[scores]]\nmetrics = ["mig"]\n'


@pytest.fixture
def own(run, tmp_path, monkeypatch):
    """A named run in the study `own` of `./results`; its pages are empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pages, "run_page", lambda run, bases, limit: "a page")
    path = shutil.copytree(run.path, run_folder(tmp_path / "results", "own", run.record))
    write_label(path, name="mine")
    return path


def test_run_is_given_as_such_or_by_folder_name_or_id(own, tmp_path):
    for given in (disentangle.load_run(own), own, str(own), "mine", own.name[:6]):
        assert disentangle.report(given).resolve() == own / "report.html"
        (own / "report.html").unlink()


def test_folder_of_a_study_or_of_results_is_given_as_the_folder_that_it_is(own, tmp_path):
    for folder in ("results", "results/own", tmp_path / "results" / "own"):
        text = disentangle.report(folder).read_text()
        assert own.name in text


def test_page_of_a_study_shows_the_runs_of_the_studies_that_it_includes(own, variant, tmp_path):
    other = shutil.copytree(
        variant("b", seed=7, values=[{"value": 0.25}]).path, tmp_path / "results/other/b"
    )
    (tmp_path / "results" / "own" / "study.toml").write_text(STUDY)
    assert other.name in disentangle.report("results/own").read_text()
    assert "2 runs" in disentangle.report("results/own").read_text()


def test_what_is_no_run_and_no_folder_is_refused(own):
    with pytest.raises(DisentangleError, match="lost: not a run"):
        disentangle.report("lost")
    with pytest.raises(DisentangleError, match="no runs"):
        disentangle.report("results/lost")
