"""The terms of the loss in the log: weighted, without their weights, and summed."""

import json

import pytest
import torch
from helpers.training_runs import logged, stop_at

import disentangle
from disentangle.contracts.model import Term, weighted
from disentangle.errors import BrokenContract
from disentangle.runs import checkpoint
from disentangle.training.checks import checked
from disentangle.training.history import History
from disentangle.training.stopping import Interrupted
from disentangle.training.train import train

pytestmark = pytest.mark.usefixtures("strangers")
SMALL = {"batch_size": 8, "figures": False, "device": "cpu"}
ALL = {**SMALL, "batch_size": 75, "lr": 1e-12}
"""Each step on all images of `tiny`, without learning."""


def number(value):
    return torch.tensor(float(value))


def test_log_has_the_kl_its_weighted_term_and_the_loss(tmp_path):
    run = train("beta-vae", "tiny", beta=4.0, steps=20, results=tmp_path, **SMALL)
    for entry in run.log:
        terms, values = entry["terms"], entry["values"]
        assert values["kl"] * 4 == pytest.approx(terms["kl"], rel=1e-5)
        assert values["reconstruction"] == terms["reconstruction"]
        assert entry["loss"] == terms["reconstruction"] + terms["kl"]


@pytest.mark.parametrize("model", ["vae", "beta-vae", "annealed-vae", "dip-vae-i"])
def test_kl_is_the_sum_over_latents(model, tmp_path):
    run = train(model, "tiny", steps=3, results=tmp_path, **ALL)
    for entry in run.log:
        assert entry["values"]["kl"] == pytest.approx(sum(entry["kl"]), abs=1e-4)


def test_loss_leaves_the_opponents_terms_out(tmp_path):
    run = train("duel", "tiny", steps=3, results=tmp_path, **SMALL)
    entry = run.log[-1]
    assert (
        set(entry["terms"])
        == set(entry["values"])
        == {*("reconstruction", "kl", "guessable", "miss")}
    )
    own = sum(value for name, value in entry["terms"].items() if name != "miss")
    assert entry["loss"] == pytest.approx(own)


def test_means_are_of_the_steps_since_the_last_entry():
    history = History(4, torch.device("cpu"))
    for step in range(6):
        sets = ({"a": weighted(10.0 + step, number(step)), "b": Term(number(1), number(1))},)
        history.add(step, sets)
    means = history.means(sets, 6)
    assert means["values"]["a"] == pytest.approx((4 + 5) / 2)
    assert means["terms"]["a"] == pytest.approx((14 * 4 + 15 * 5) / 2)
    assert means["loss"] == pytest.approx(means["terms"]["a"] + 1)


def test_quantity_of_another_name_is_logged_under_it():
    history = History(1, torch.device("cpu"))
    sets = ({"capacity": Term(number(30), number(7), "kl")},)
    history.add(0, sets)
    means = history.means(sets, 1)
    assert means == {"terms": {"capacity": 30}, "values": {"kl": 7}, "loss": 30}


def test_run_of_0_1_resumes_and_says_no_kl_that_it_does_not_know(tmp_path):
    options = {"steps": 50, "results": tmp_path / "run", **SMALL}
    whole = train("beta-vae", "tiny", **{**options, "results": tmp_path / "whole"})
    with pytest.raises(Interrupted):
        train("beta-vae", "tiny", report=stop_at(23), **options)
    path = next((tmp_path / "run").rglob("run.json")).parent
    tensors, about = checkpoint.read_tensors(path / "checkpoint.safetensors")
    old = {name: value for name, value in tensors.items() if not name.startswith("values/")}
    assert len(old) < len(tensors)
    checkpoint.write_tensors(path / "checkpoint.safetensors", old, about)
    lines = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
    for entry in lines:
        del entry["values"], entry["loss"]
    (path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    run = disentangle.resume(path, figures=False, device="cpu")
    assert [entry["terms"] for entry in run.log] == [entry["terms"] for entry in whole.log]
    assert run.record.weights == whole.record.weights
    at_25 = next(entry for entry in run.log if entry["step"] == 25)
    assert set(at_25["values"]) == {"reconstruction"}  # the KL of steps 20 to 22 is not known
    assert logged(run)[-4:] == logged(whole)[-4:]


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (({"kl": weighted(2.0, torch.ones(3))},), r"term 'kl' must be a scalar, got \[3\]"),
        (({"kl": Term(number(1), 2.0)},), "term 'kl' must be a scalar, got float"),
        (({"a": number(1)}, {"a": number(1)}), "two terms have the name 'a'"),
        (({"a": Term(number(1), number(1), "b"), "b": number(1)},), "two terms have the name 'b'"),
    ],
    ids=["vector", "float", "opponent", "quantity"],
)
def test_terms_that_cannot_be_logged_are_refused(sets, message):
    with pytest.raises(BrokenContract, match=message):
        checked(sets)
