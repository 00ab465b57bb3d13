"""The README: its commands and code run, and its numbers are those that were published."""

import json
import subprocess
import types

import pytest
from helpers.doc_blocks import ROOT, Shell, blocks_of, check_toml, commands_of
from helpers.golden_metrics import small
from helpers.published import STUDIES

import disentangle
from disentangle._utils.tensors import digest
from disentangle.runs.collection import load_all
from disentangle.runs.scores import current_scores

README = (ROOT / "README.md").read_text()
BLOCKS = blocks_of(README)
SHOWN = ["beta-vae-score", "factor-vae-score", "mig", "dci-lgbm/disentanglement"]
ROWS = {
    "beta-VAE, beta 16": ("beta-vae", 16.0),
    "beta-VAE, beta 8": ("beta-vae", 8.0),
    "beta-VAE, beta 4": ("beta-vae", 4.0),
    "beta-VAE, beta 2": ("beta-vae", 2.0),
    "beta-VAE, beta 1 (VAE)": ("beta-vae", 1.0),
    "beta-TCVAE, beta 4": ("beta-tcvae", 4.0),
    "FactorVAE, gamma 10": ("factor-vae", None),
    "DIP-VAE-II": ("dip-vae-ii", None),
}


@pytest.mark.slow
def test_shell_blocks_run(strangers, tmp_path, command):
    shell = Shell(command, tmp_path, types.ModuleType("readme"))
    for block in BLOCKS:
        if block.kind == "sh" and "disentangle " in block.text:
            shell.run(block)
    assert (tmp_path / "results" / "scores.md").exists()
    assert list(tmp_path.glob("results/default/tiny/beta-vae/*/figures/traversals.png"))


def test_toml_is_what_it_seems(strangers, tmp_path):
    for block in BLOCKS:
        if block.kind == "toml":
            check_toml("[project]\nname = 'x'\n" + block.text, tmp_path)


def test_demo_runs_what_the_readme_says():
    demo = (ROOT / "benchmarks" / "demo.sh").read_text()
    assert commands_of(demo) == commands_of(BLOCKS[0].text)


def test_leaf_in_the_readme_is_the_leaf():
    leaf = (ROOT / "plugins" / "disentangle_plugins" / "models" / "beta_vae.py").read_text()
    (shown,) = [block.text for block in BLOCKS if block.text.startswith("class ")]
    assert shown in leaf


def test_line_that_scores_arrays_runs():
    (line,) = [block.text for block in BLOCKS if "score_codes" in block.text]
    codes, factors = small(n=300)
    scores = eval(line, {"disentangle": disentangle, "codes": codes, "factors": factors})
    assert {"mig", "sap", "dci/disentanglement"} <= set(scores)


def usual(scores, factors):
    """Return the scores of the default protocol, by name."""
    return {
        s.name: s.value
        for s in scores
        if (s.protocol, s.representation, s.knobs) == ("locatello2019", "mean", {})
        and s.factors == factors
    }


def test_numbers_in_the_readme_are_those_that_were_published():
    found = {}
    for study in ("beta-sweep", "protocols"):
        for run in load_all(ROOT / "results" / study)[0]:
            if run.record.dataset.name == "dsprites":
                key = run.record.model, run.record.knobs.get("beta")
                factors = tuple(run.record.dataset.factors)
                found.setdefault(key, []).append(usual(current_scores(run), factors))
    told = {
        row: [sum(s[name] for s in found[k]) / len(found[k]) for name in SHOWN]
        for row, k in ROWS.items()
    }
    view = {"hold_out": ["0.2"], "hold_out_seed": 0, "split": "test"}
    for row, name in (("the factors themselves", "oracle"), ("noise", "noise")):
        (path,) = (ROOT / "results" / "baselines").glob(f"dsprites-*/{name}.json")
        scores = json.loads(path.read_text())["scores"]
        held = {
            s["name"]: s["value"]
            for s in scores
            if s["view"] == view and len(s["factors"]) == 5 and not s["knobs"]
        }
        told[row] = [held[name] for name in SHOWN]
    assert all(len(runs) == 5 for runs in found.values())
    for row, values in told.items():
        assert f"| {row} | {' | '.join(f'{value:.3f}' for value in values)} |\n" in README


def test_numbers_after_longer_training_are_those_that_were_published():
    runs, _ = load_all(ROOT / "results" / "cpu-budget")
    names = {"beta-vae": "beta-VAE, beta 4", "beta-tcvae": "beta-TCVAE, beta 6"}
    for run in runs:
        scores = usual(current_scores(run), tuple(run.record.dataset.factors))
        values = " | ".join(f"{scores[name]:.3f}" for name in SHOWN)
        assert f"| {names[run.record.model]}, 100,000 steps | {values} |\n" in README


@pytest.mark.parametrize(("study", "count"), STUDIES.items())
def test_published_studies_are_whole(study, count):
    runs, problems = load_all(ROOT / "results" / study)
    assert not problems
    assert len(runs) == count
    assert all(run.finished and run.log and current_scores(run) for run in runs)


def test_published_weights_are_those_that_were_scored():
    for run in load_all(ROOT / "results" / "cpu-budget")[0]:
        assert digest(run.model.state_dict()) == run.record.weights
        assert {score.weights for score in current_scores(run)} == {run.record.weights}


def test_published_results_hold_the_weights_of_one_study_and_are_small():
    published = subprocess.run(
        ["git", "ls-files", "-z", "results"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [ROOT / name for name in published.stdout.split("\0") if name]
    weights = [file for file in files if file.suffix == ".safetensors"]
    assert {file.relative_to(ROOT / "results").parts[0] for file in weights} == {"cpu-budget"}
    assert sum(file.stat().st_size for file in files if file.exists()) < 52e6
