"""Scores of encoders and codes from elsewhere, kept by `disentangle score --name`."""

import json

import numpy as np
import pytest

from disentangle.data.loading import load_dataset
from disentangle.runs.external import load_externals

pytestmark = pytest.mark.usefixtures("strangers")
MIG = ("--metric", "mig:samples=75")
ENCODER = """
def mass(x):
    return x.mean((2, 3))

def edges(x):
    return x[:, 0, 5:9, 5:6].flatten(1)
"""


@pytest.fixture
def score(command, tmp_path):
    """A function that scores an encoder of a Python file."""
    (tmp_path / "mine.py").write_text(ENCODER)

    def run(*words, function="mass"):
        options = ("--dataset", "tiny", "--device", "cpu", *MIG)
        return command("score", "--encoder", f"mine.py:{function}", *options, *words)

    return run


@pytest.fixture
def codes(tmp_path):
    """A file of codes of the dataset `tiny`."""
    data = load_dataset("tiny")
    labels = data.labels(np.arange(len(data)))
    np.savez(tmp_path / "codes.npz", codes=labels, factors=labels, names=list(data.factors))
    return tmp_path / "codes.npz"


def test_without_a_name_one_line_says_how_to_keep_scores(score, tmp_path):
    code, out, err = score()
    assert (code, out.split()[0]) == (0, "mig")
    assert "Give --name NAME to keep them for tables." in err
    assert not (tmp_path / "results").exists()


def test_kept_scores_are_in_the_tables_and_their_files(score, command, tmp_path):
    code, out, err = score("--name", "own")
    assert code == 0, err
    assert out.splitlines()[1:] == ["results/scores.md", "results/scores.csv"]
    assert "own (external)" in (tmp_path / "results/scores.md").read_text()
    assert "own (external)" in (tmp_path / "results/scores.csv").read_text()
    assert "own (external)" in command("table")[1]
    assert "own (external)" in command("table", "own", "--format", "csv-long")[1]


def test_record_of_a_python_file_has_its_digest(score, tmp_path):
    score("--name", "own")
    (external,) = load_externals(tmp_path / "results")[0]
    assert external.record.origin["reference"] == "mine.py:mass"
    assert external.record.origin["code"].startswith("mine.py ")


def test_another_encoder_of_the_name_is_refused(score):
    score("--name", "own")
    code, _, err = score("--name", "own", function="edges")
    assert code == 2
    assert "--name own" in err
    assert "latents: expected 1, got 4" in err


def test_seeds_of_an_encoder_share_a_row(score, command):
    score("--name", "own", "--encoder-seed", 0)
    score("--name", "own", "--encoder-seed", 1, function="edges")
    (row,) = [line for line in command("table")[1].splitlines() if "own (external)" in line]
    assert "±" in row
    code, out, _ = command("runs", "remove", "own", "--yes")
    assert (code, len(out.splitlines())) == (0, 2)


def test_codes_of_a_dataset_share_a_table_with_encoders(score, command, codes):
    score("--name", "own")
    code, _, err = command("score", "--codes", codes, "--dataset", "tiny", "--name", "given", *MIG)
    assert code == 0, err
    (table,) = json.loads(command("table", "--json")[1])["tables"]
    assert [row["model"] for row in table["rows"]] == ["given", "own"]
    assert "Codes given, images not checked: given." in table["caption"]


def test_codes_of_no_dataset_have_a_table_of_their_own(score, command, codes):
    score("--name", "own")
    command("score", "--codes", codes, "--name", "given", *MIG)
    tables = json.loads(command("table", "--json")[1])["tables"]
    assert [table["dataset"] for table in tables] == ["arrays, external", "tiny, external"]


def test_study_is_that_of_the_encoder(score, command, tmp_path):
    score("--name", "own", "--study", "mine")
    assert (tmp_path / "results/mine/tiny/external").is_dir()
    assert "own (external)" in command("table", "--study", "mine")[1]


def test_encoder_is_listed_and_renamed(score, command):
    score("--name", "own")
    (line,) = [line for line in command("runs")[1].splitlines() if "mine.py:mass" in line]
    assert line.split()[1:3] == ["own", "external"]
    assert command("runs", "name", "own", "other", "--note", "see")[0] == 0
    (listed,) = json.loads(command("runs", "--json")[1])
    assert (listed["name"], listed["note"], listed["state"]) == ("other", "see", "external")


def test_commands_on_runs_say_that_it_is_none(score, command):
    score("--name", "own")
    for words in (("score", "own"), ("traverse", "own"), ("figure", "samples", "own")):
        code, _, err = command(*words)
        assert code == 1
        assert "'own' is an external encoder, not a run" in err


@pytest.mark.parametrize(
    "given", [lambda at: "own", lambda at: next(at.glob("results/*/tiny/external/[!.]*"))]
)
def test_scoring_it_by_its_name_says_the_command_that_does(score, command, tmp_path, given):
    score("--name", "own", "--encoder-seed", 3, "--takes", "uint8", function="edges")
    code, _, err = command("score", given(tmp_path), "--metric", "sap")
    assert code == 1
    said = " ".join(err.split())
    expected = (
        "disentangle score --encoder mine.py:edges --takes uint8 --dataset tiny --name own "
        "--encoder-seed 3 --metric sap"
    )
    assert f"add scores to it by `{expected}`" in said


@pytest.mark.parametrize("given", ["mine", "results/default/tiny/vae"])
def test_run_as_an_encoder_is_refused_with_the_command_that_scores_it(command, tmp_path, given):
    _, out, _ = command(*"train vae tiny --steps 1 --no-figures --name mine --device cpu".split())
    given = given if given == "mine" else out.strip()
    code, out, err = command("score", "--encoder", given, "--dataset", "tiny")
    assert (code, out) == (2, "")
    assert f"--encoder {given} is a run: score it by `disentangle score {given}`" in " ".join(
        err.split()
    )
