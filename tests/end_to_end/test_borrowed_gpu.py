"""The script for a borrowed GPU, in miniature on the CPU: what is stopped is continued exactly."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from helpers.doc_blocks import ROOT
from helpers.training_runs import stop_at

import disentangle
from disentangle.runs.collection import load_all
from disentangle.training.stopping import Interrupted

pytestmark = pytest.mark.usefixtures("strangers")
SCRIPT = ROOT / "benchmarks" / "borrowed-gpu.sh"
STUDY = """
about = "Two configurations of tiny runs."
pictures = false

[defaults]
dataset = "tiny"
batch_size = 8
steps = {steps}
seeds = {seeds}

[[runs]]
model = "vae"

[[runs]]
model = "beta-vae"
beta = 4

[[scores]]
metrics = ["mig"]
"""


def load(name):
    """Import a script of `benchmarks/`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


travelling = load("travelling_runs")


def study(tmp_path, steps, seeds=2):
    file = tmp_path / "mini.toml"
    file.write_text(STUDY.format(steps=steps, seeds=seeds))
    return file


def weights(results):
    """The digest of the weights of each run in a results folder."""
    return {run.path.name: run.record.weights for run in load_all(results)[0]}


def names(archive):
    """The files of runs in an archive, without their folders."""
    with zipfile.ZipFile(archive) as file:
        return {Path(name).name for name in file.namelist()}


@pytest.fixture
def script(tmp_path):
    """A function that starts the script with a study of two runs."""
    file = study(tmp_path, 150, seeds=1)

    def start(*words):
        command = ["bash", SCRIPT, *words, "--study", file]
        return subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, "PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture
def done(script):
    """A function that runs the script to its end and returns its output."""

    def run(*words, code=0):
        process = script(*words)
        output, _ = process.communicate()
        assert process.returncode == code, output
        return output

    return run


@pytest.mark.slow
def test_what_is_stopped_is_continued_to_the_same_bits(script, done, tmp_path):
    folder, results = tmp_path / "borrowed", tmp_path / "results"
    here = ("--results", results)
    there = ("--cpu", "--dataset", "tiny", "--no-tests", "--work")
    done("pack", folder, "--no-download", *here)
    process = script("run", folder, 10, tmp_path / "out1", *there, tmp_path / "work1")
    logs = (tmp_path / "work1" / "results").glob
    while process.poll() is None and not any(
        log.stat().st_size for log in logs("*/*/*/*/log.jsonl")
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "0 of 2 configurations are whole" in done("collect", tmp_path / "out1", *here)
    begun = [travelling.step_of(run) for run in load_all(results)[0]]
    assert max(begun) > 0
    done("pack", folder, "--no-download", *here)
    done("run", folder, 10, tmp_path / "out2", *there, tmp_path / "work2")
    assert "2 of 2 configurations are whole" in done("collect", tmp_path / "out2", *here)
    options = {"results": tmp_path / "whole", "device": "cpu", "on": "inline"}
    disentangle.sweep(tmp_path / "mini.toml", **options)
    assert weights(results) == weights(tmp_path / "whole")


@pytest.mark.slow
def test_time_that_is_too_short_for_a_sweep_is_said_and_failed_parts_stop_nothing(done, tmp_path):
    (tmp_path / "borrowed").mkdir()
    out = tmp_path / "out"
    done("pack", tmp_path / "borrowed", "--no-download", "--results", tmp_path / "results")
    (tmp_path / "borrowed" / "runs-1.zip").write_text("damaged")
    words = (tmp_path / "borrowed", 0.5, out, "--cpu", "--no-tests", "--dataset", "tiny")
    output = done("run", *words, "--work", tmp_path / "work", code=1)
    assert "-- import: FAILED" in output
    assert "-- sweep: not started" in output
    assert "failed: import" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected `"),
        (("pack",), "expected `"),
        (("pack", "a", "--fast"), "--fast: no such option"),
        (("run", "nowhere", "soon", "out"), "MINUTES: expected a number above 0, got soon"),
        (("run", "nowhere", "5", "out"), "no wheels; make it with `bash"),
    ],
)
def test_mistake_is_said(words, message, tmp_path):
    command = ["bash", SCRIPT, *words]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 2
    assert message in process.stderr


def test_mistake_in_a_study_file_is_one_line(tmp_path, capsys, monkeypatch):
    file = study(tmp_path, 6)
    file.write_text(file.read_text().replace("beta = 4", "bta = 4"))
    monkeypatch.setattr(sys, "argv", ["travelling_runs.py", "whole", str(file), str(tmp_path)])
    assert travelling.main() == 2
    assert capsys.readouterr().err.startswith("error: mini.toml: runs.1: ")


def test_runs_are_put_into_the_first_archive_with_room():
    sizes = (6, 3, 9, 4, 20, 5, 1)
    parcels = [travelling.Parcel(size, size) for size in sizes]
    archives, left_out = travelling.filled(parcels, travelling.Room(2, 10, 20))
    assert archives == [[6, 3, 1], [9]]
    assert [one.run for one in left_out] == [4, 20, 5]
    assert travelling.filled(parcels, travelling.Room(3, 10, 15))[0] == [[6, 3, 1], [4]]


@pytest.fixture
def begun(tmp_path):
    """A results folder with a finished run and two that were stopped, of the study `mini`."""
    options = {"results": tmp_path / "results", "study": "mini", "steps": 6, "batch_size": 8}
    options |= {"figures": False, "device": "cpu"}
    disentangle.train("vae", "tiny", seed=0, **options)
    for seed, step in ((1, 2), (0, 4)):
        model = {"model": "vae"} if seed else {"model": "beta-vae", "beta": 4}
        with pytest.raises(Interrupted):
            disentangle.train(dataset="tiny", seed=seed, report=stop_at(step), **model, **options)
    return tmp_path / "results"


def test_runs_that_have_not_changed_do_not_come_back(begun, tmp_path, capsys):
    file = study(tmp_path, 6)
    for out in (tmp_path / "first", tmp_path / "second"):
        out.mkdir()
        assert travelling.bring(file, begun, tmp_path / "first", out)
    said = capsys.readouterr().out
    assert "3 of 3 new or changed runs" in said
    assert "0 of 0 new or changed runs" in said
    assert names(tmp_path / "first" / "runs-1.zip") >= {"checkpoint.safetensors", "log.jsonl"}
    assert not list((tmp_path / "second").iterdir())


def test_runs_that_do_not_fit_are_said(begun, tmp_path, capsys, monkeypatch):
    largest = max(travelling.parcel(run).size for run in load_all(begun)[0])
    room = travelling.Room(6, largest, largest + 20_000)
    monkeypatch.setattr(travelling, "BACK", room)
    assert not travelling.bring(study(tmp_path, 6), begun, tmp_path / "none", tmp_path)
    said = capsys.readouterr().out
    assert "(step 2, " in said
    assert "as there is no room" in said


def test_a_finished_run_that_is_too_large_comes_back_without_weights(
    begun, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(travelling, "BACK", travelling.Room(6, 20_000, 100_000))
    assert not travelling.bring(study(tmp_path, 6), begun, tmp_path / "none", tmp_path)
    assert "without weights: " in capsys.readouterr().out
    assert names(tmp_path / "runs-1.zip") == {"manifest.json", "run.json", "log.jsonl"}


def test_runs_that_are_done_are_packed_without_weights(begun, tmp_path, capsys):
    file = study(tmp_path, 6)
    for run in load_all(begun / "mini" / "tiny" / "vae")[0]:
        if run.finished:
            disentangle.score(run, ["mig"])
    assert travelling.pack(file, begun, tmp_path, room=20_000)
    assert names(tmp_path / "runs-1.zip") == {"manifest.json", "run.json", "scores.json"}
    assert capsys.readouterr().out.count("as there is no room") == 2
    assert travelling.pack(file, begun, tmp_path, room=2**30)
    assert "checkpoint.safetensors" in names(tmp_path / "runs-1.zip")
    disentangle.import_runs(tmp_path / "runs-1.zip", results=tmp_path / "there")
    travelling.whole(file, tmp_path / "there")
    assert "mini: 4 runs: 1 done, 2 to resume, 1 to start" in capsys.readouterr().out
