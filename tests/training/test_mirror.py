"""A run at a tracker: each logged step once, whatever happens to the training in between."""

import json
import shutil
import sys

import pytest
from conftest import registered

from disentangle.contracts.tracker import TrackerEntry
from disentangle.runs.labels import write_label
from disentangle.runs.named import load_run
from disentangle.runs.tracker_records import read_tracker
from disentangle.training import mirror as mirror_module
from disentangle.training.mirror import Mirror, scalars, tracked_run
from disentangle.training.tracking import tracker_of
from disentangle.training.train import train

SMALL = {"batch_size": 8, "figures": False, "device": "cpu", "steps": 12}


@pytest.fixture(scope="module")
def once(strangers_folder, tmp_path_factory):
    options = {"score_every": 6, "metrics": ["mig"], "results": tmp_path_factory.mktemp("once")}
    label = {"name": "first-try", "note": "beta too low"}
    with registered(strangers_folder):
        return train("beta-vae", "tiny", **options, **label, **SMALL)


@pytest.fixture
def trained(once, strangers, tmp_path):
    return load_run(shutil.copytree(once.path, tmp_path.joinpath(*once.path.parts[-4:])))


@pytest.fixture
def mirror(trained):
    """Open the run at the tracker `diary`."""
    return lambda: Mirror(tracker_of("diary"), trained.path, "diary")


def lines(run, key):
    text = (run.path / "diary.jsonl").read_text().splitlines()
    return [line[key] for line in map(json.loads, text) if key in line]


def test_a_finished_run_is_sent_whole(trained, mirror):
    (trained.figures / "samples.png").parent.mkdir()
    (trained.figures / "samples.png").touch()
    mirror().finish()
    assert lines(trained, "step") == [entry["step"] for entry in trained.log]
    assert lines(trained, "values") == [scalars(entry) for entry in trained.log]
    assert lines(trained, "figure") == ["samples.png"]
    assert lines(trained, "state") == ["finished"]


def test_names_of_numbers_follow_the_log(trained):
    entry = trained.log[5]
    values = scalars(entry)
    assert values["loss"] == entry["loss"]
    assert values["values/kl"] == entry["values"]["kl"]
    assert values["weighted/kl"] == entry["terms"]["kl"]
    assert values["kl/z3"] == entry["kl"][3]
    assert values["training/active"] == entry["active"]
    assert values["scores/mig"] == entry["scores"]["mig"]


def test_no_weighted_term_of_an_old_log_is_called_kl(trained):
    entry = trained.log[-1]
    names = set(scalars({k: v for k, v in entry.items() if k not in ("values", "loss")}))
    assert {"weighted/kl", "values/reconstruction"} <= names
    assert not {"loss", "values/kl"} & names


def test_a_missing_score_is_left_out(trained):
    assert "scores/mig" not in scalars({**trained.log[5], "scores": {"mig": None}})


def test_settings_and_names_are_those_of_the_run(trained):
    run = tracked_run(trained, "page 1")
    assert (run.name, run.note, run.study, run.entry) == (
        *("first-try", "beta too low", "default", "page 1"),
    )
    assert run.settings["model"] == "beta-vae"
    assert run.settings["dataset"] == "tiny"
    assert run.settings["beta"] == trained.record.knobs["beta"]
    assert run.settings["seed"] == 0


def test_a_run_without_a_name_is_called_by_its_id(trained):
    write_label(trained.path, name="")
    assert tracked_run(trained, "").name == f"{trained.record.id} beta-vae tiny seed 0"


def test_steps_that_a_resumed_training_logs_again_are_not_repeated(trained, mirror):
    log = trained.path / "log.jsonl"
    text = log.read_text().splitlines(True)
    log.write_text("".join(text[:9]))
    first = mirror()
    first.update()
    log.write_text("".join(text[:6]))  # the training crashed, and resumed from its checkpoint
    first.update()
    second = mirror()
    log.write_text("".join(text[:8]))
    second.update()
    log.write_text("".join(text))
    second.finish()
    assert lines(trained, "step") == [entry["step"] for entry in trained.log]
    assert lines(trained, "entry") == ["", "page 1"]


def test_figures_are_sent_once(trained, mirror):
    trained.figures.mkdir()
    (trained.figures / "samples.png").touch()
    for _ in range(2):
        mirror().finish()
    assert lines(trained, "figure") == ["samples.png"]


def test_the_entry_is_recorded(trained, mirror):
    mirror()
    record = read_tracker(trained.path, "diary")
    assert (record.entry, record.failed) == ("page 1", "")
    assert record.where.startswith("read ")


def test_a_tracker_that_cannot_be_opened_is_recorded(trained):
    with pytest.raises(ConnectionError):
        Mirror(tracker_of("diary:fails=open"), trained.path, "diary:fails=open")
    assert read_tracker(trained.path, "diary:fails=open").entry == ""
    assert len(list((trained.path / "trackers").iterdir())) == 1


def test_no_password_of_an_address_is_written(trained, monkeypatch, capfd):
    def refuse(*args):
        raise ConnectionError("POST https://me:secret@host.org/api failed")

    monkeypatch.setattr(mirror_module, "mirror", refuse)
    monkeypatch.setattr(mirror_module, "wait_for_end", lambda ended: None)
    monkeypatch.setattr(sys, "argv", ["mirror", str(trained.path), "diary"])
    assert mirror_module.main() == 1
    out, err = capfd.readouterr()
    assert json.loads(out) == {"failed": "ConnectionError: POST https://***@host.org/api failed"}
    assert "https://***@host.org" in err
    assert "secret" not in err


def test_the_place_of_an_entry_shows_no_password(trained, monkeypatch):
    tracker = tracker_of("diary")
    entry = TrackerEntry("page 1", 0, "run 1 in postgresql://me:secret@host.org/runs")
    monkeypatch.setattr(tracker, "open", lambda run: entry)
    one = Mirror(tracker, trained.path, "diary")
    assert one.record.where == "run 1 in postgresql://***@host.org/runs"
