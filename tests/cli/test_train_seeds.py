"""`disentangle train ... --seeds`: what is trained, what is kept, and what is printed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from disentangle.cli import train_seeds
from disentangle.runs.labels import read_label
from disentangle.runs.named import load_run
from disentangle.studies.executor import executor_of
from disentangle.training.train import train

pytestmark = pytest.mark.usefixtures("strangers")
TINY = ("--steps", "5", "--batch-size", "8", "--device", "cpu", "--no-figures")
OPTIONS = {"steps": 5, "batch_size": 8, "device": "cpu", "figures": False}


@pytest.fixture
def inline(monkeypatch):
    """A function that lets trainings run in this process, untimed; they fail after so many."""
    monkeypatch.setattr("disentangle.studies.estimate.time_steps", lambda run, device: 0.01)

    def use(most=100):
        monkeypatch.setattr(
            train_seeds, "executor_for", lambda *asked: executor_of("inline", {"most": most})
        )

    use()
    return use


def test_paths_go_to_standard_output_and_the_table_elsewhere(inline, command, tmp_path):
    code, out, err = command("train", "beta-vae", "tiny", "--beta", 2, *TINY, "--seeds", "0,3")
    assert code == 0, err
    runs = [load_run(path) for path in out.splitlines()]
    assert [run.record.seed for run in runs] == [0, 3]
    assert all(run.finished for run in runs)
    assert not runs[0].path.is_absolute()
    assert "beta-vae on tiny: 2 runs: 2 to start" in err
    lines = err.splitlines()
    table = lines[lines.index(f"2 runs in {runs[0].path.parent}:") + 1 :]
    head = ["seed", "run", "loss", "reconstruction", "kl", "active", "time"]
    assert table[0].split() == head
    assert [line.split()[0] for line in table[1:5]] == ["0", "3", "mean", "±"]
    assert table[1].split()[2] == f"{runs[0].log[-1]['loss']:.2f}"
    assert f"next: `disentangle score {runs[0].path} --all-seeds`" in err
    assert f"      `disentangle table {runs[0].path} --all-seeds`" in err


def test_finished_runs_are_kept_and_unfinished_ones_resumed(inline, command, tmp_path):
    single = train("vae", "tiny", seed=1, results=tmp_path / "results", **OPTIONS)
    half = train("vae", "tiny", seed=2, results=tmp_path / "results", **OPTIONS)
    half.save_record(finished=None, weights=None)
    written = (single.path / "run.json").stat().st_mtime_ns
    code, out, err = command("train", "vae", "tiny", *TINY, "--seeds", "0..2")
    assert code == 0, err
    assert "vae on tiny: 3 runs: 1 done, 1 to resume, 1 to start" in err
    assert "seed 1: started" not in err
    assert (single.path / "run.json").stat().st_mtime_ns == written
    assert len(out.splitlines()) == 3
    code, again, err = command("train", "vae", "tiny", *TINY, "--seeds", "0..2")
    assert (code, again) == (0, out)
    assert "vae on tiny: 3 runs: 3 done" in err
    assert "started" not in err


def test_seed_that_fails_costs_the_others_nothing(inline, command):
    inline(most=1)
    code, out, err = command("train", "vae", "tiny", *TINY, "--seeds", "0,1")
    said = " ".join(err.split())
    assert code == 1
    assert "error: 1 of 2 runs failed: seed 1: it is one too many (log: " in said
    (path,) = out.splitlines()
    assert load_run(path).record.seed == 0
    assert f"next: `disentangle score {path}`" in err
    assert "mean" not in err


def test_run_that_failed_is_not_tried_again_and_is_told_how_to(inline, command):
    words = ("train", "exploding", "tiny", "--steps", 8, *TINY[2:], "--seeds", "0,1")
    assert command(*words)[0] == 1
    code, out, err = command(*words)
    said = " ".join(err.split())
    assert (code, out) == (1, "")
    assert "exploding on tiny: 2 runs: 2 failed" in said
    assert "error: 2 of 2 runs failed: seed 0: " in said
    assert "is not finite" in said
    assert said.count("tries again)") == 2


def test_damaged_run_is_said(inline, command):
    words = ("train", "vae", "tiny", *TINY, "--seeds", "0,1")
    first, second = command(*words)[1].splitlines()
    with open(f"{second}/run.json", "w") as file:
        file.write("{")
    code, out, err = command(*words)
    assert (code, out.split()) == (1, [first])
    assert "1 of 2 runs failed: seed 1: " in " ".join(err.split())


def test_settings_that_collapse_are_told_before_and_after(inline, command):
    words = ("--beta", "1e6", "--kl-warmup", "10", *TINY, "--seeds", "0,1")
    code, _, err = command("train", "beta-vae", "tiny", *words)
    assert code == 0
    assert "rises from 0 over 10 of 5 steps" in err
    assert "warning: training ends before the warm-up" in err


def test_collapsed_seeds_are_named(inline, command, monkeypatch):
    monkeypatch.setattr(train_seeds, "collapsed", lambda run: run.record.seed > 0)
    _, _, err = command("train", "vae", "tiny", *TINY, "--seeds", "0..2")
    assert "warning: seeds 1, 2 collapsed; if the posterior collapses, try" in " ".join(err.split())


def test_quiet_prints_the_paths_alone(inline, command, monkeypatch):
    monkeypatch.setattr(train_seeds, "collapsed", lambda run: False)
    code, out, err = command("--quiet", "train", "vae", "tiny", *TINY, "--seeds", "0,1")
    assert (code, len(out.splitlines()), err) == (0, 2, "")


def test_names_and_notes_are_those_of_each_run(inline, command):
    words = (*TINY, "--seeds", "0,1", "--name", "mine", "--note", "small")
    code, out, err = command("train", "vae", "tiny", *words)
    assert code == 0, err
    labels = [read_label(Path(path)) for path in out.splitlines()]
    assert [label.name for label in labels] == ["mine-seed0", "mine-seed1"]
    assert {label.note for label in labels} == {"small"}
    again = (*TINY, "--seeds", "0,1", "--name", "other")
    command("train", "vae", "tiny", *again)  # finished: they get the name, as one run does
    labels = [read_label(Path(path)) for path in out.splitlines()]
    assert [(label.name, label.note) for label in labels][1] == ("other-seed1", "small")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0,1", "--seed", "2"], "give only one of --seed and --seeds"),
        (["--jobs", "2"], "--jobs requires --seeds"),
        (["--seeds", "3"], "use `--seed 3`"),
        (["--seeds", "0,1", "--jobs", "0"], "--jobs"),
        (["--seeds", "0..4999", "--jobs", "5000"], "use fewer --jobs"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(words, message, command, tmp_path):
    code, out, err = command("train", "vae", "tiny", *TINY, *words)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert not (tmp_path / "results").exists()


def test_interrupt_is_followed_by_the_command_that_goes_on(inline, command, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_seeds, "run_missing", interrupted)
    code, out, err = command("train", "vae", "tiny", *TINY, "--seeds", "0,1")
    assert (code, out) == (130, "")
    assert f"`disentangle train vae tiny {' '.join(TINY)} --seeds 0,1`" in err.splitlines()


def test_time_limit_leaves_runs_that_the_same_command_finishes(
    inline, command, monkeypatch, tmp_path
):
    monkeypatch.setattr("disentangle.studies.sweep.RESERVE", 3600.0)  # workers are late at once
    monkeypatch.setattr("disentangle.cli.stopping.process_start", time.time)
    words = ("train", "vae", "tiny", *TINY, "--seeds", "0,1")
    done = train("vae", "tiny", seed=0, results=tmp_path / "results", **OPTIONS)
    code, out, err = command(*words, "--time-limit", "50m")
    assert code == 75
    assert out.splitlines() == [str(done.path.relative_to(tmp_path))]
    assert "0 of 1 configuration whole, 1 of 2 runs done, 1 left. Run `disentangle train" in err
    code, out, err = command(*words)
    assert (code, len(out.splitlines())) == (0, 2), err


def start(folder, *words):
    """Start the command in a process, which hears an interrupt."""
    return subprocess.Popen(
        [sys.executable, "-m", "disentangle", "train", "vae", "tiny", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def weights(run):
    return run.load_checkpoint().model


@pytest.mark.slow
def test_stopped_seeds_end_with_the_bits_of_single_trainings(tmp_path):
    words = ("--steps", "150", *TINY[2:], "--seeds", "0,1")
    first = start(tmp_path, *words)
    until = time.monotonic() + 120
    while len(list(tmp_path.rglob("checkpoint.safetensors"))) < 2:
        assert time.monotonic() < until
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=120)
    assert (first.returncode, out) == (130, "")
    assert f"`disentangle train vae tiny {' '.join(words)}`" in err
    second = start(tmp_path, *words)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    before = torch.get_num_threads()
    for path in out.splitlines():
        run = load_run(tmp_path / path)
        torch.set_num_threads(run.record.threads)
        options = {**OPTIONS, "steps": 150}
        alone = train("vae", "tiny", seed=run.record.seed, results=tmp_path / "alone", **options)
        torch.set_num_threads(before)
        assert alone.record.id == run.record.id
        assert all(torch.equal(v, weights(run)[k]) for k, v in weights(alone).items())
        steps = [entry["step"] for entry in run.log]
        assert steps == sorted(set(steps))
