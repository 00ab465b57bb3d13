"""What a shell and its scripts rely on: JSON, completion, quiet, exit codes."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from disentangle._utils.console import manner

TINY = ["--steps", "3", "--batch-size", "8", "--device", "cpu", "--no-figures"]


@pytest.fixture(autouse=True)
def usual_manner():
    """As much is said as usual, whatever a test before this asked for."""
    yield
    manner.quiet = manner.verbose = False


def printed(command, *words):
    """Return what a command prints as JSON, and nothing else."""
    code, out, err = command(*words)
    assert code == 0, err
    return json.loads(out)


def test_list_as_json(command, strangers):
    found = printed(command, "list", "--json")
    assert {"kind": "model", "name": "half-vae", "distribution": "strangers"}.items() <= next(
        plugin for plugin in found["plugins"] if plugin["name"] == "half-vae"
    ).items()
    assert {"locatello2019", "disjoint"} <= set(found["protocols"])
    assert "higgins2017" in found["presets"]


def test_check_as_json_says_each_problem_and_fails(command, strangers, monkeypatch):
    from disentangle.contracts import registry

    entry = registry.models.entry("broken")
    monkeypatch.setattr(registry, "check_imports", lambda: iter([(entry, "of 1987")]))
    code, out, err = command("list", "--check", "--json")
    assert (code, json.loads(out)[0]["problem"]) == (1, "of 1987")
    assert "1 plugins have problems" in err


def test_show_as_json(command):
    (found,) = printed(command, "show", "mig", "--json")
    assert "Chen et al." in found["about"]
    assert {knob["name"]: knob["default"] for knob in found["knobs"]}["bins"] == 20


def test_datasets_as_json(command):
    found = {row["dataset"]: row for row in printed(command, "data", "list", "--json")}
    assert found["dsprites"]["images"] == "737,280"


def test_scores_table_and_ranks_as_json(command, strangers):
    path = command("train", "vae", "tiny", *TINY)[1].strip()
    command("train", "vae", "tiny", *TINY, "--seed", "1")
    found = printed(command, "score", path, "--metric", "mig", "--metric", "elbo", "--json")
    assert 0 <= found[path]["scores"]["mig"] <= 1
    (table,) = printed(command, "table", "--json")["tables"]
    assert [row["model"] for row in table["rows"]] == ["vae"]
    assert {row["dataset"] for row in printed(command, "udr", "--json")} == {"tiny"}


def test_scores_of_codes_and_baselines_as_json(command, strangers, tmp_path):
    factors = np.random.default_rng(0).integers(0, [3, 4], (200, 2))
    np.savez(tmp_path / "codes.npz", codes=factors + 0.5, factors=factors)
    found = printed(command, "score", "--codes", "codes.npz", "--metric", "mig", "--json")
    assert list(found) == ["scores", "unavailable"]
    asked = ["--metric", "mig", "--only", "noise", "--device", "cpu"]
    assert "mig" in printed(command, "baselines", "tiny", *asked, "--json")["noise"]["scores"]


def test_json_and_another_form_are_refused(command, strangers):
    for words in (["table", "--format", "csv"], ["score", "--detail"]):
        code, out, err = command(*words, "--json")
        assert (code, out) == (2, "")
        assert "only one of --json and --" in err


@pytest.mark.slow
def test_study_as_json_before_and_after(command, strangers, tmp_path):
    text = '[[runs]]\nmodel = "vae"\ndataset = "tiny"\nsteps = 3\nbatch_size = 8\n'
    (tmp_path / "one.toml").write_text(text + '[[scores]]\nmetrics = ["mig"]\n')
    words = ["sweep", "one.toml", "--device", "cpu", "--json"]
    before = printed(command, *words, "--dry-run")
    assert [run["state"] for run in before["runs"]] == ["new"]
    assert before["seconds_left"] > 0
    after = printed(command, *words)
    assert [run["state"] for run in after["runs"]] == ["done"]
    assert any(file.endswith("report.html") for file in after["files"])


def test_quiet_leaves_results_and_errors(command, strangers):
    code, out, err = command("--quiet", "train", "vae", "tiny", *TINY)
    assert (code, err) == (0, "")
    assert out.startswith("results/default/tiny/vae/")
    code, _, err = command("-q", "train", "vae", "nowhere")
    assert code == 2
    assert err.startswith("error: ")


def test_quiet_and_verbose_are_refused(command):
    assert command("-q", "-v", "list")[0] == 2


def test_no_color_is_honoured(tmp_path):
    env = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    call = [sys.executable, "-m", "disentangle", "train", "nothing", "dsprites"]
    result = subprocess.run(call, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert "\x1b[3" not in result.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("train bet", {"beta-vae", "beta-tcvae"}),
        ("train half-vae ti", {"tiny", "tiny-photos"}),
        ("train half-vae tiny --network bu", {"burgess"}),
        ("train half-vae tiny --preset hig", {"higgins2017"}),
        ("train half-vae tiny --alp", {"--alpha"}),
        ("score --metric mi", {"mig", "mig-sup", "minimality"}),
        ("score --protocol dis", {"disjoint"}),
        ("show half", {"half-vae"}),
        ("data prepare chairs-g", {"chairs-grey"}),
        ("sweep study.toml --on lo", {"local"}),
    ],
)
def test_shell_completes_the_names_of_plugins(command, strangers, monkeypatch, typed, offered):
    words = ["disentangle", *typed.split()]
    monkeypatch.setenv("_DISENTANGLE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert set(command()[1].split()) == offered
