"""`disentangle audit --run`."""

import json

import pytest

from disentangle import train


@pytest.fixture
def kept(strangers, tmp_path):
    """The name of a run whose checkpoints were kept, in `results`."""
    options = {"steps": 4, "batch_size": 8, "figures": False, "device": "cpu"}
    return train("beta-vae", "tiny", keep="every:2", results=tmp_path / "results", **options).path


def test_scores_of_checkpoints_are_a_table(command, kept):
    code, out, _ = command("audit", "mcc", "modularity", "--run", kept, "--device", "cpu")
    assert code == 0
    head, mcc, modularity, *rest = out.splitlines()
    assert head.split() == ["score", "steps", "untrained", "trained", "noise", "order"]
    assert mcc.startswith("mcc ")
    assert "3 of 0 to 4" in mcc
    assert modularity.startswith("modularity ")
    assert "Order: Spearman's correlation of score and step." in rest


def test_json_holds_every_step_and_strict_fails(command, kept):
    code, out, err = command(
        *("audit", "modularity", "--run", kept, "--device", "cpu", "--json", "--strict")
    )
    (score,) = json.loads(out)["scores"]
    assert [value["step"] for value in score["values"]] == [0, 2, 4]
    assert bool(score["fault"]) == (code == 1) == ("1 score with a failed expectation" in err)


@pytest.mark.parametrize("option", [["--quick"], ["--case", "noise"], ["-o", "folder"]])
def test_options_of_other_audits_are_refused(command, kept, option):
    code, _, err = command("audit", "mig", "--run", kept, *option)
    assert code == 2
    assert "leave it out with --run" in err


def test_a_run_without_checkpoints_says_how_to_keep_them(command, run):
    code, _, err = command("audit", "--run", run.path)
    assert code == 2
    assert "train with `--keep every:STEPS`" in err
