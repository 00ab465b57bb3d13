"""The overview of a run: its state, its plainest scores, and its removal."""

import datetime
import json

import filelock
import pytest

from disentangle.errors import Busy, DisentangleError
from disentangle.runs.log_tail import last_entry
from disentangle.runs.named import load_run
from disentangle.runs.overview import overview, plainest
from disentangle.runs.removal import remove_run, size_of
from disentangle.runs.scores import read_scores
from disentangle.scoring.score_runs import score


def log(run, **entry):
    (run.path / "log.jsonl").write_text(json.dumps({"step": 3, "active": 2, **entry}) + "\n")


def test_states(run):
    log(run)
    assert overview(run).progress == "finished"
    log(run, active=1, kl=[0.5])
    assert overview(run).progress == "collapsed"
    run.save_record(finished=None)
    assert overview(run).progress == "stopped at step 3 of 5"
    with filelock.FileLock(run.path / ".lock"):
        assert overview(run).progress == "training at step 3 of 5"
    run.save_record(failed="'kl' is not finite")
    assert overview(run).progress == "failed"


def test_age_is_the_time_since_the_end(run):
    end = datetime.datetime.fromisoformat(run.record.finished)
    assert overview(run, end + datetime.timedelta(hours=2)).age == 7200


def test_plainest_score_is_that_of_means_without_further_conditions(run):
    score(run, ["mig"])
    (mig,) = read_scores(run)
    others = [{"knobs": {"bins": 9}}, {"representation": "sample"}, {"protocol": "disjoint"}]
    others += [{"seed": 1}, {"factors": mig.factors[:1]}]
    scores = tuple(mig.model_copy(update={**change, "value": 0.9}) for change in others)
    for order in ((mig, *scores), (*scores, mig)):
        assert plainest(order) == {"mig": mig.value}
    assert plainest((mig.model_copy(update={"value": None}),)) == {}


def test_removed_run_is_gone_with_its_empty_folders(run, tmp_path):
    path = tmp_path / "results" / "study" / "tiny" / "vae" / run.path.name
    path.parent.mkdir(parents=True)
    run.path.rename(path)
    moved = load_run(path)
    files, size = size_of(moved)
    assert files >= 3
    assert size > 1000
    remove_run(moved, tmp_path / "results")
    assert not (tmp_path / "results" / "study" / "tiny").exists()
    assert (tmp_path / "results" / "study").exists()


def test_folders_outside_the_results_stay(run, tmp_path):
    parent = run.path.parent
    remove_run(run, tmp_path / "results")
    assert not run.path.exists()
    assert parent.exists()


def test_run_that_is_training_is_not_removed(run, tmp_path):
    with filelock.FileLock(run.path / ".lock"), pytest.raises(Busy):
        remove_run(run, tmp_path)
    assert (run.path / "run.json").exists()


def test_last_entry_is_that_of_the_whole_log_and_an_incomplete_line_is_skipped(run):
    path = run.path / "log.jsonl"
    assert last_entry(path) == run.log[-1]
    lines = [json.dumps({"step": i, "kl": [0.5] * 500}) for i in range(100)]
    path.write_text("\n".join([*lines, '{"step": 100, "kl": [0.']))
    assert last_entry(path)["step"] == 99
    path.unlink()
    assert last_entry(path) is None


def test_interrupted_removal_leaves_nothing_that_a_training_takes_up(run, tmp_path, monkeypatch):
    def interrupted(path, ignore_errors=False):
        if not ignore_errors:
            raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remove_run(run, tmp_path)
    assert not run.path.exists()
    assert not list(tmp_path.rglob("run.json"))


def test_link_to_a_run_is_not_removed(run, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(run.path)
    with pytest.raises(DisentangleError, match="a link to a run"):
        remove_run(load_run(link), tmp_path)
    assert (run.path / "run.json").exists()
