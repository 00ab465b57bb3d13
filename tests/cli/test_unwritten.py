"""Results that cannot be written are shown all the same, and what was not kept is said."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from disentangle.errors import UnwrittenWarning
from disentangle.runs.named import load_run
from disentangle.runs.score_records import ScoreFile
from disentangle.runs.scores import read_scores
from disentangle.scoring.baselines import baselines
from disentangle.scoring.score_runs import score
from disentangle.training.train import train

pytestmark = pytest.mark.usefixtures("strangers")
REASONS = {errno.EROFS: "Read-only file system", errno.ENOSPC: "No space left on device"}

SAID_BY_THE_COMMAND = pytest.mark.filterwarnings("ignore::disentangle.errors.UnwrittenWarning")


@pytest.fixture
def unwritable(monkeypatch):
    """A function that makes writes below a folder fail; root may write to any, so by patching."""

    def make(folder, number=errno.EROFS):
        folder = str(Path(folder).resolve())
        replace, open_file = os.replace, os.open

        def refuse(path):
            if os.path.realpath(path).startswith(folder):
                raise OSError(number, os.strerror(number), str(path))

        def checked_replace(source, target):
            refuse(target)
            replace(source, target)

        def checked_open(path, flags, *args, **options):
            if flags & (os.O_WRONLY | os.O_RDWR):
                refuse(path)
            return open_file(path, flags, *args, **options)

        monkeypatch.setattr(os, "replace", checked_replace)
        monkeypatch.setattr(os, "open", checked_open)

    return make


@pytest.mark.parametrize("number", REASONS)
def test_scores_of_a_run_that_cannot_be_written_to_are_shown(command, run, unwritable, number):
    unwritable(run.path, number)
    code, out, err = command("score", run.path, "--metric", "mig")
    assert code == 1
    head, _, row = (line for line in out.splitlines() if line.startswith("|"))
    assert "mig" in head
    assert " 0." in row
    assert f"scores not written: {run.path}/scores.json: {REASONS[number]}" in err
    assert "`--output FILE` writes the scores elsewhere" in err
    assert "Scores are stored" not in err
    assert "No table was written" in err
    assert not (run.path / "scores.json").exists()


def test_scores_of_a_run_that_cannot_be_written_to_are_json_and_go_to_another_file(
    command, run, unwritable, tmp_path
):
    unwritable(run.path)
    output = tmp_path / "scores-elsewhere.json"
    words = ["--metric", "mig", "--json", "--output", output]
    code, out, err = command("score", run.path, *words)
    assert code == 1
    assert "--output" not in err
    value = json.loads(out)[str(run.path)]["scores"]["mig"]
    (record,) = ScoreFile(**json.loads(output.read_text())[str(run.path)]).scores
    assert record.value == value


def test_function_returns_scores_that_it_cannot_write_and_warns(run, unwritable):
    expected = score(load_run(run.path), ["mig"])["mig"]
    (run.path / "scores.json").unlink()
    unwritable(run.path)
    with pytest.warns(UnwrittenWarning, match=r"scores were not written: .*scores.json: Read-only"):
        scores = score(run, ["mig"])
    assert scores["mig"] == expected
    assert "scores.json" in scores.unwritten


def test_scores_are_kept_after_all_once_the_folder_can_be_written_to(run):
    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.warns(UnwrittenWarning, match="No space left"):
            score(run, ["mig"])
    assert score(run, ["sap"]).unwritten == ""
    assert {s.name for s in read_scores(load_run(run.path))} == {"mig", "sap"}


@SAID_BY_THE_COMMAND
def test_baselines_that_cannot_be_written_are_shown(command, unwritable, tmp_path):
    unwritable(tmp_path / "results")
    code, out, err = command("baselines", "tiny", "--only", "oracle", "--metric", "mig")
    assert code == 1
    assert "oracle  0." in out
    assert "scores not written: results/baselines/tiny-" in err
    with pytest.warns(UnwrittenWarning, match=r"oracle.json: Read-only"):
        assert baselines("tiny", ["mig"], only=["oracle"], results=tmp_path / "results")


def test_scores_of_codes_are_shown_if_the_output_fails(command, unwritable, tmp_path):
    codes = np.random.default_rng(0).normal(size=(60, 2))
    np.savez(tmp_path / "a.npz", codes=codes, factors=(codes > 0).astype(int))
    unwritable(tmp_path / "s.json", errno.ENOSPC)
    code, out, err = command("score", "--codes", "a.npz", "--metric", "mig", "--output", "s.json")
    assert code == 1
    assert out.startswith("mig  0.")
    assert "not written: s.json: No space left on device" in err


def test_table_is_printed_if_the_output_fails(command, run, unwritable, tmp_path):
    score(run, ["mig"])
    unwritable(tmp_path / "t.csv")
    code, out, err = command("table", run.path, "--output", "t.csv")
    assert code == 1
    assert out.startswith("dataset,")
    assert "not written: t.csv: Read-only file system" in err


@SAID_BY_THE_COMMAND
def test_training_whose_figures_cannot_be_written_is_finished(command, monkeypatch):
    def full(run):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{run.figures}/traversals.png")

    monkeypatch.setattr("disentangle.figures.run_figures.draw_all", full)
    words = ["--steps", 2, "--batch-size", 8]
    code, out, err = command("train", "vae", "tiny", *words)
    assert code == 1
    run = load_run(out.strip())
    assert run.finished
    assert f"figures not written: {run.path}/figures/traversals.png: No space left" in err
    with pytest.warns(UnwrittenWarning, match="figures not written"):
        assert train("vae", "tiny", steps=2, batch_size=8).finished
