"""`disentangle score`: files in place of runs, and runs that cannot be scored."""

import json

import numpy as np
import pytest

from disentangle.runs.labels import write_label


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("z.npy", ["--codes z.npy --labels FACTORS"]),
        ("z.NPZ", ["--codes z.NPZ"]),
        ("z.csv", ["--codes z.csv"]),
        ("z.h5", ["--codes z.h5"]),
        ("z.pt2", ["--encoder z.pt2 --dataset NAME"]),
        ("z.pt", ["--codes z.pt", "--encoder z.pt --dataset NAME"]),
        ("z.py", ["--encoder z.py:NAME --dataset NAME"]),
        ("z.py:net", ["--encoder z.py:net --dataset NAME"]),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_file_in_place_of_a_run_is_told_its_option(command, tmp_path, name, options, exists):
    if exists:
        (tmp_path / name).write_bytes(b"")
    code, out, err = command("score", name)
    assert (code, out) == (2, "")
    commands = " or ".join(f"`disentangle score {option}`" for option in options)
    text = f"{name}: expected a run, got the name of a file; use {commands}"
    assert text in " ".join(err.split())


def test_run_whose_name_ends_as_a_file_does_is_scored(command, variant):
    run = variant("a", values=[{"value": 0.5}])
    write_label(run.path, name="good.npy")
    _, _, err = command("score", "good.npy", "--metric", "mig", "--results", run.path.parent)
    assert "expected a run" not in err


@pytest.fixture
def without_weights(variant):
    """A run with a score, of beta 2, whose folder has no checkpoint."""
    return variant("gone", values=[{"value": 0.5}])


def test_run_without_weights_is_an_error_and_no_table(command, without_weights, tmp_path):
    options = ("--metric", "sap", "--metric", "irs", "--output", tmp_path / "out.json")
    code, out, err = command("score", without_weights.path, *options)
    assert (code, out) == (1, "")
    text = " ".join(err.split())
    assert f"{without_weights.path}: its weights are not there, so sap, irs cannot be" in text
    assert "published runs come without weights" in text
    assert "Scores are stored" not in text
    assert not (tmp_path / "out.json").exists()


def test_other_runs_have_their_table(command, run, variant):
    gone = variant("other", knobs={"beta": 9.0})
    code, out, err = command("score", gone.path, run.path, "--metric", "modularity")
    assert code == 1
    assert f"{gone.path}: its weights are not there" in " ".join(err.split())
    assert "beta=2.0" in out
    assert "beta=9.0" not in out


def test_details_of_codes_say_what_they_are(command, tmp_path):
    factors = np.array([[i % 2, i // 2 % 3] for i in range(600)])
    np.savez(tmp_path / "codes.npz", codes=factors + 0.0, factors=factors)
    out = command("score", "--codes", "codes.npz", "--metric", "mig", "--detail")[1]
    assert "mig/information (mean representation), by latent and factor\n" in out
    assert "\nmutual information / entropy of the factor, 0 to 1\n" in out
    assert any(line.split() == ["z0", "1", "0"] for line in out.splitlines())


@pytest.fixture
def angles(tmp_path):
    """A table of codes with an angle in degrees, a number of each row and a word."""
    angle = np.random.default_rng(0).uniform(0, 360, 400)
    rows = [f"{a},{a},{i // 2},{'ab'[i % 2]}" for i, a in enumerate(angle)]
    (tmp_path / "codes.csv").write_text("\n".join(["z0,angle,id,word", *rows]))
    return "codes.csv"


@pytest.mark.filterwarnings("default::disentangle.errors.InputWarning")
def test_kind_of_a_factor_is_given(command, angles, tmp_path):
    metric = ("--metric", "mig", "--output", tmp_path / "out.json")
    code, _, guessed = command("score", "--codes", angles, *metric)
    assert code == 0
    assert "give their kind: `--kind id:categorical`" in " ".join(guessed.split())
    kinds = ("--kind", "angle:cyclic=360", "--kind", "id:categorical")
    code, _, err = command("score", "--codes", angles, *metric, *kinds)
    assert code == 0
    assert "continuous" not in err


def test_given_kind_takes_precedence_over_that_of_the_file(command, angles, tmp_path):
    (tmp_path / "codes.csv.json").write_text('{"kinds": {"id": "continuous"}}')
    words = (
        "score",
        "--codes",
        angles,
        "--metric",
        "modularity",
        "--output",
        tmp_path / "out.json",
    )
    kinds = ("--kind", "id:categorical", "--kind", "angle:ordinal")
    for given, binned in ((), True), (kinds, False):
        assert command(*words, *given)[0] == 0
        (score,) = json.loads((tmp_path / "out.json").read_text())["scores"][:1]
        assert score.get("resolved", {}) == ({"factor_bins": 20} if binned else {})


def test_kind_of_no_factor_is_a_usage_error(command, angles):
    code, _, err = command("score", "--codes", angles, "--kind", "angel:cyclic=360")
    assert code == 2
    assert "codes.csv: factors: kinds: no factor 'angel'; did you mean 'angle'" in err
