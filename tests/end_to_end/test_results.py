"""The published results: records of earlier versions load, and mean what they meant."""

import ast
import json
from pathlib import Path

import pytest
from helpers.published import STUDIES

from disentangle._utils.seeds import derive
from disentangle._utils.versions import commit
from disentangle.runs.records import RunRecord, read_record
from disentangle.runs.score_records import ScoreFile

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
STREAMS = ("derive", "numpy_rng", "torch_rng", "initialising")
"""Functions that take the purpose of a random stream as their second argument."""


@pytest.mark.parametrize("study", STUDIES)
def test_published_runs_load_unchanged_and_keep_their_ids(study):
    files = sorted((RESULTS / study).rglob("run.json"))
    assert files
    for file in files:
        record = read_record(RunRecord, file)
        assert record.id == file.parent.name
        assert record.model_dump(mode="json", exclude_unset=True) == json.loads(file.read_text())


@pytest.mark.parametrize("folder", [*STUDIES, "baselines"])
def test_published_scores_load_unchanged(folder):
    files = [*(RESULTS / folder).rglob("scores.json"), *(RESULTS / folder).glob("*/*.json")]
    assert files
    for file in files:
        if file.name == "run.json":
            continue
        scores = read_record(ScoreFile, file)
        assert scores.scores
        assert scores.model_dump(mode="json", exclude_unset=True) == json.loads(file.read_text())


def test_seeds_of_streams_are_what_they_were():
    # The first 8 bytes of the SHA-256 of "seed/purpose/step", shifted right by one bit.
    assert derive(0, "weights") == 664910812957149500
    assert derive(0, "noise", 7) == 4578217800377160657
    assert derive(3, "metric mig") == 3424220859152501622


def purposes(folder):
    """Yield the purpose of each random stream that a folder's source derives, as it is written."""
    for file in folder.rglob("*.py"):
        if {"templates", "testing"} & set(file.parts):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in STREAMS:
                yield from map(ast.unparse, node.args[1:2])


def test_purposes_of_streams_are_what_they_were():
    # Each is part of every number that was drawn from its stream: never reword one.
    known = {
        "'aggregate posterior'",
        "'audit codes'",
        "'audit factors'",
        "'contact sheet'",
        "'dependence of factors'",
        "'export'",
        "'figures'",
        "'hold out'",
        "'labelled'",
        "'images of a reduction'",
        "'networks in a page'",
        "'noise in a page'",
        "'noise'",
        "'order'",
        "'pair'",
        "'pca'",
        "'pixels'",
        "'probe'",
        "'rotation'",
        "'sampled codes'",
        "'seed image'",
        "'shown'",
        "'spectrum'",
        "'udr'",
        "f'hold out {factor}'",
        "f'metric {self.name}'",
        "'weighted order'",
        "purpose",
    }
    assert {p for name in ("disentangle", "plugins") for p in purposes(ROOT / name)} == known


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_records_name_the_commit_that_they_were_made_at():
    assert commit()
