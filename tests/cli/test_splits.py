"""Hold-outs by range and published splits through the command line, from training to tables."""

import json
import shlex

import numpy as np
import pytest

from disentangle.contracts import published_splits
from disentangle.contracts.published_splits import PublishedSplit
from disentangle.runs.named import load_run
from disentangle.runs.records import describe_view
from disentangle.runs.scores import read_scores
from disentangle.runs.train_command import train_command
from disentangle.scoring.request import ScoringRequest
from disentangle.studies.plan import load_plan
from disentangle.studies.study_runs import is_answer

pytestmark = pytest.mark.usefixtures("strangers")
QUICK = ["--steps", "3", "--batch-size", "4", "--device", "cpu", "--no-figures"]
SOURCE = {"datasets": ("tiny",), "source": "Ours (2026)", "link": "https://x.org", "sizes": ""}
RIGHT = PublishedSplit(
    name="ours-right", named="right", about="large squares on the right", train=48, test=20,
    hold_out=("side#>=1,x>2", "drop side=0,x=2,y>=0", "drop x=2,y=4"), **SOURCE,
)  # fmt: skip
TOP = PublishedSplit(
    name="ours-top", named="top", about="the top", train=60, test=15, hold_out=("y=0",), **SOURCE
)
FILES = PublishedSplit(name="ours-files", named="f", about="", unavailable="only files", **SOURCE)
VIEW = {"split": "train", "hold_out": RIGHT.hold_out, "hold_out_name": "ours-right"}


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Three splits of `tiny` beside the real ones."""
    every = (*published_splits.known_splits(), RIGHT, TOP, FILES)
    monkeypatch.setattr(published_splits, "known_splits", lambda: every)


@pytest.fixture
def run(command):
    """A run that was trained on a published split."""
    code, out, err = command("train", "vae", "tiny", *QUICK, "--split", "ours-right")
    assert code == 0, err
    line = "tiny, split ours-right: train 48 images, test 20 (26.7 % of all), 7 in neither part"
    assert line in err.splitlines()
    return load_run(out.strip())


def views(run):
    return [score["view"] for score in json.loads((run.path / "scores.json").read_text())["scores"]]


def test_run_records_the_split_by_name_and_by_what_it_means(run):
    assert run.record.dataset.view == VIEW
    assert run.record.dataset.images == 48
    assert describe_view(run.record.dataset.view) == (
        "split train, held out ours-right (side#>=1,x>2 and drop side=0,x=2,y>=0 and drop x=2,y=4)"
    )


def test_test_part_is_scored_unless_a_part_is_named(command, run):
    for words in ([], ["--split", "train"], ["--split", "all"], ["--split", "ours-right:train"]):
        code, out, err = command("score", run.path, "--metric", "mig", *words)
        assert code == 0, err
    assert [view["split"] for view in views(run)] == ["test", "train", "all"]
    assert {view["hold_out_name"] for view in views(run)} == {"ours-right"}
    assert "split test, held out ours-right (side#>=1,x>2 and drop" in out


@pytest.mark.parametrize(("words", "part"), [(["OURS-top"], "test"), (["ours-top:train"], "train")])
def test_run_is_scored_on_another_published_split(command, run, words, part):
    code, _, err = command("score", run.path, "--metric", "mig", "--split", *words)
    assert code == 0, err
    assert views(run) == [{"hold_out": ["y=0"], "hold_out_name": "ours-top", "split": part}]


def test_record_means_the_same_after_the_file_was_edited(command, run, monkeypatch):
    before = load_run(run.path).dataset.origin(range(48)).tolist()
    edited = RIGHT.model_copy(update={"hold_out": ("y=1",)})
    monkeypatch.setattr(published_splits, "known_splits", lambda: (edited,))
    again = load_run(run.path)
    assert again.dataset.origin(range(48)).tolist() == before
    assert len(ScoringRequest().part_of_run(again)) == 20
    assert "--split" not in train_command(again.record)
    assert "--hold-out 'side#>=1,x>2' --hold-out 'drop side=0" in train_command(again.record)


@pytest.mark.parametrize("words", [["--split", "ours-right"], ["--split", "ours-right:all"],
    ["--hold-out", "side=0|2,x in 1..2", "--hold-out", "drop y#>3"]], ids=" ".join)  # fmt: skip
def test_command_of_a_run_trains_the_same_run(command, words):
    code, out, err = command("train", "vae", "tiny", *QUICK, *words)
    assert code == 0, err
    run = load_run(out.strip())
    again = shlex.split(train_command(run.record))[1:]
    code, out, err = command(*again, "--device", "cpu", "--no-figures")
    assert "already finished" in err
    assert load_run(out.strip()).path == run.path


def test_seeds_say_what_is_held_out_once(command):
    code, _, err = command(
        "train", "vae", "tiny", *QUICK, "--seeds", "0..1", "--hold-out", "x>2", "--jobs", "1"
    )
    assert code == 0, err
    assert err.count("tiny, hold-out: train 45 images, test 30 (40 % of all)") == 1


def test_encoded_and_baseline_parts_are_the_test_part(command, run):
    code, _, err = command("encode", run.path, "--split", "ours-top", "-o", "c.npz")
    assert code == 0, err
    with np.load("c.npz") as codes:
        assert len(codes["codes"]) == 15
    words = ("baselines", "tiny", "--metric", "mig", "--only", "noise", "--split")
    shown = [command(*words, f"ours-top{part}") for part in ("", ":test", ":all")]
    assert [code for code, _, _ in shown] == [0, 0, 0]
    assert shown[0][1] == shown[1][1] != shown[2][1]


def test_study_trains_and_scores_a_published_split(tmp_path):
    text = (
        '[defaults]\nmodel = "vae"\nbatch_size = 4\n'
        '[[runs]]\ndataset = { name = "tiny", split = "ours-right" }\n'
        '[[runs]]\ndataset = { name = "tiny", hold_out = ["x in 0..1"] }\n'
        '[[scores]]\nmetrics = ["mig"]\n[[scores]]\nmetrics = ["mig"]\nsplit = "ours-top"\n'
    )
    (tmp_path / "mine.toml").write_text(text)
    plan = load_plan(tmp_path / "mine.toml", results=tmp_path / "results", device="cpu")
    assert [job.record.dataset.view for job in plan.jobs] == [
        VIEW,
        {"split": "train", "hold_out": ("x in 0..1",)},
    ]
    top = {"split": "test", "hold_out": ("y=0",), "hold_out_name": "ours-top"}
    assert [[part.view for part in job.scored] for job in plan.jobs] == [
        [{**VIEW, "split": "test"}, top],
        [{"split": "test", "hold_out": ("x in 0..1",)}, top],
    ]


def test_score_on_a_published_split_answers_a_study_that_asks_for_it(command, run):
    asked = ScoringRequest(metrics=("mig",), split="Ours-top")
    assert not is_answered(run, asked)
    command("score", run.path, "--metric", "mig", "--split", "ours-top:train")
    assert not is_answered(run, asked)
    command("score", run.path, "--metric", "mig", "--split", "ours-top")
    assert is_answered(run, asked)


def test_score_without_a_factor_that_the_test_part_fixes_answers_a_study(command):
    _, out, _ = command("train", "vae", "tiny", *QUICK, "--hold-out", "side>1")
    run = load_run(out.strip())
    assert command("score", run.path, "--metric", "mig")[0] == 0
    assert read_scores(run)[0].factors == ("x", "y")
    assert is_answered(run, ScoringRequest(metrics=("mig",)))
    assert not is_answered(run, ScoringRequest(metrics=("mig",), factors=("x",)))


def is_answered(run, asked):
    """True if one of the run's scores is what a study asks for."""
    return any(is_answer(one, run, asked, False) for one in read_scores(run))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--split", "ours-righ"], "tiny has no split 'ours-righ'; did you mean 'ours-right'?"),
        (["--split", "first"], "tiny has no split 'first'; its splits are all, ours-right, "),
        (["--split", "ours-right:valid"], "expected one of ours-right:train, ours-right:test, "),
        (["--split", "ours-files"], "split 'ours-files' is unavailable: only files"),
        (
            ["--split", "montero-shape2tx"],
            "'montero-shape2tx' is a split of dsprites, not of tiny; published splits of tiny: "
            "ours-right, ours-top",
        ),
        (["--split", "ours-right", "--hold-out", "x=1"], "expected --split train, test or all"),
        (["--hold-out", "x>4"], "--hold-out x>4: holds out no image of tiny"),
        (["--hold-out", "x>=0"], "--hold-out x>=0: holds out all images of tiny"),
        (["--hold-out", "sidee>0"], "tiny has no factor 'sidee'; did you mean 'side'?"),
        (["--hold-out", "side=1|7"], "tiny: side has no value '7'; its values are 0, 1, 2"),
    ],
)  # fmt: skip
def test_slip_is_told_in_one_line_before_any_work(command, tmp_path, words, message):
    code, _, err = command("train", "vae", "tiny", *QUICK, *words)
    assert code == 2
    assert err.startswith("error: ")
    assert message in err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("split", ["montero-fhue_gt50", "schott-random", "montero-shape2tx:valid"])
def test_split_of_another_dataset_is_refused_before_anything_is_prepared(command, tmp_path, split):
    words = ["train", "vae", "dsprites", *QUICK, "--data-dir", tmp_path / "data"]
    code, _, err = command(*words, "--split", split)
    assert code == 2
    assert split.partition(":")[0] in err
    assert not (tmp_path / "data").exists()


def test_splits_are_listed_with_their_sizes_and_what_they_mean(command):
    code, out, _ = command("data", "splits", "tiny")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split(maxsplit=1) == ["all", "75 images (100 %)"]
    assert lines[1].startswith("ours-right  large squares on the right: train 48 images, test 20")
    assert "7 in neither part; --hold-out 'side#>=1,x>2' --hold-out 'drop side=0" in out
    assert "unavailable: ours-files: only files" in out
    assert "Ours (2026): https://x.org" in out
    listed = json.loads(command("data", "splits", "tiny", "--json")[1])
    assert [part["name"] for part in listed] == ["all", "ours-right", "ours-top", "ours-files"]


def test_parts_of_a_hold_out_are_listed_before_it_is_used(command):
    words = ["--hold-out", "x>2", "--hold-out", "drop y=0"]
    code, out, _ = command("data", "splits", "tiny", *words)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["all", "75"], ["train", "36"], ["test", "24"], ["neither", "15"],
    ]  # fmt: skip
    code, _, err = command("data", "splits", "tiny", "--hold-out", "x>4")
    assert code == 2
    assert "holds out no image" in err


def test_datasets_name_their_published_splits(command):
    assert (
        "ours-right, ours-top (`disentangle data splits`)" in command("data", "prepare", "tiny")[1]
    )
    assert "splits of papers: ours-right, ours-top" in command("show", "tiny")[1]
    assert "splits of papers" not in command("show", "tiny-photos")[1]
