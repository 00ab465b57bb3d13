"""The built-in trackers with their own libraries: what they write is read back."""

import json
import struct
import sys
import types

import pytest
from PIL import Image

from disentangle.contracts.tracker import TrackedRun
from disentangle.runs.named import load_run
from disentangle.runs.tracker_records import read_tracker
from disentangle.scoring.score_runs import score
from disentangle.testing import check_tracker
from disentangle.training.mirror import Mirror, scalars
from disentangle.training.tracking import check_trackers, tracker_of
from disentangle.training.train import train

OF_MLFLOW = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
SMALL = {"batch_size": 8, "figures": False, "device": "cpu", "steps": 12}


@pytest.fixture
def tracked(run):
    """A finished run of five steps, with a score, a figure and a GIF."""
    score(run, ["mig"])
    run.figures.mkdir()
    for name in ("traversals.png", "traversals.gif"):
        Image.new("L", (8, 8)).save(run.figures / name)
    return run


def crash_and_resume(run, track):
    """Send a run as if its training had crashed after step 4, and resumed after step 2."""
    log, text = run.path / "log.jsonl", (run.path / "log.jsonl").read_text().splitlines(True)
    finished = run.record.finished
    run.save_record(finished=None)
    log.write_text("".join(text[:4]))
    first = Mirror(tracker_of(track), run.path, track)
    first.finish()
    log.write_text("".join(text[:2]))
    second = Mirror(tracker_of(track), run.path, track)
    second.update()
    log.write_text("".join(text))
    run.save_record(finished=finished)
    second.finish()
    return second


def logged(run):
    """The numbers of a log, by name: [(step, number), ...]."""
    numbers = {}
    for entry in run.log:
        for name, value in scalars(entry).items():
            numbers.setdefault(name, []).append((entry["step"], pytest.approx(value, rel=1e-6)))
    return numbers


def final(run):
    return json.loads((run.path / "scores.json").read_text())["scores"][0]["value"]


@pytest.fixture
def events(tracked):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    crash_and_resume(tracked, "tensorboard")
    return EventAccumulator(str(tracked.path / "tensorboard")).Reload()


def test_tensorboard_has_every_number_once(tracked, events):
    names = {name for name in events.Tags()["scalars"] if not name.startswith("final/")}
    written = {name: [(e.step, e.value) for e in events.Scalars(name)] for name in names}
    assert written == logged(tracked)


def test_tensorboard_has_settings_figures_and_scores(tracked, events):
    (text,) = events.Tensors("settings")
    assert b"| beta | 2.0 |" in text.tensor_proto.string_val[0]
    images = [events.Images(f"figures/traversals.{kind}") for kind in ("gif", "png")]
    assert [(image.step, image.width) for (image,) in images] == [(5, 8), (5, 8)]
    (mig,) = events.Scalars("final/mig")
    assert (mig.step, mig.value) == (5, pytest.approx(final(tracked)))


def test_tensorboard_writes_runs_into_one_folder(tracked, tmp_path):
    track = f"tensorboard:folder={tmp_path / 'boards'}"
    Mirror(tracker_of(track), tracked.path, track).finish()
    assert list((tmp_path / "boards" / f"{tracked.record.id}-beta-vae-tiny-seed-0").iterdir())
    assert not (tracked.path / "tensorboard").exists()


def test_tensorboard_keeps_the_files_of_another_run_of_the_same_name(tmp_path):
    tracker = tracker_of(f"tensorboard:folder={tmp_path}")
    for id in ("1234567890", "abcdef1234"):
        run = TrackedRun(tmp_path / id, id, "my run", "", "default", {"dataset": "hf:a/b"}, "")
        tracker.open(run)
        tracker.close("finished")
    folders = sorted(path.parent.name for path in tmp_path.glob("*/events.out.tfevents.*"))
    assert folders == ["1234567890-my-run", "abcdef1234-my-run"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An SQLite file with MLflow's tables, which take seconds to create."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/runs.db"


@pytest.fixture
def mlflow_client(store):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store)
    yield client
    client._tracking_client.store._dispose_engine()


@pytest.fixture
def mlflow_run(tracked, store, mlflow_client):
    track = f"mlflow:uri={store},experiment=tests"
    crash_and_resume(tracked, track)
    return mlflow_client.get_run(read_tracker(tracked.path, track).entry)


@pytest.mark.slow
@OF_MLFLOW
def test_mlflow_has_every_number_once(tracked, mlflow_run, mlflow_client):
    names = {name for name in mlflow_run.data.metrics if not name.startswith("final/")}
    histories = {
        name: [
            (metric.step, metric.value)
            for metric in mlflow_client.get_metric_history(mlflow_run.info.run_id, name)
        ]
        for name in names
    }
    assert histories == logged(tracked)


@pytest.mark.slow
@OF_MLFLOW
def test_mlflow_has_settings_figures_and_scores(tracked, mlflow_run, mlflow_client):
    assert mlflow_run.data.params["beta"] == "2.0"
    assert mlflow_run.info.run_name == f"{tracked.record.id} beta-vae tiny seed 0"
    assert mlflow_run.info.status == "FINISHED"
    assert mlflow_run.data.metrics["final/mig"] == pytest.approx(final(tracked))
    files = mlflow_client.list_artifacts(mlflow_run.info.run_id, "figures")
    assert [file.path for file in files] == ["figures/traversals.gif", "figures/traversals.png"]


@pytest.mark.slow
@OF_MLFLOW
def test_mlflow_takes_scores_again_without_repeating_them(
    tracked, mlflow_run, store, mlflow_client
):
    track = f"mlflow:uri={store},experiment=tests"
    Mirror(tracker_of(track), tracked.path, track).finish()
    assert len(mlflow_client.get_metric_history(mlflow_run.info.run_id, "final/mig")) == 1


def test_mlflow_finds_its_file_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    here = f"mlflow:uri=sqlite:///{tmp_path}/mlflow.db"
    assert check_trackers(["mlflow", "mlflow:uri=sqlite:///mlflow.db"]) == (here,)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert check_trackers(["mlflow"]) == ("mlflow",)


def records(file):
    """The records of a .wandb file, which has the format of LevelDB's logs."""
    from wandb.proto.wandb_internal_pb2 import Record

    block, whole, data = 32_768, b"", file.read_bytes()
    position = 7  # after the file's header
    while position + 7 <= len(data):
        if block - position % block < 7:  # too short for a header: padding
            position += block - position % block
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        whole += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


@pytest.fixture
def wandb_records(tracked):
    track = "wandb:mode=offline,project=mine,group=seeds,tags=a+b"
    crash_and_resume(tracked, track)
    (file,) = (tracked.path / "wandb").glob("offline-run-*/*.wandb")
    return list(records(file))


def test_wandb_has_every_number_once(tracked, wandb_records):
    numbers = {}
    for record in wandb_records:
        if record.WhichOneof("record_type") == "history":
            row = {
                "/".join(item.nested_key) or item.key: json.loads(item.value_json)
                for item in record.history.item
            }
            for name, value in row.items():
                if not name.startswith(("_", "figures/")):
                    numbers.setdefault(name, []).append((row["_step"], value))
    assert numbers == logged(tracked)


def test_wandb_has_settings_figures_and_scores(tracked, wandb_records):
    run = next(record.run for record in wandb_records if record.HasField("run"))
    config = {item.key: item.value_json for item in run.config.update}
    assert config["beta"] == "2.0"
    assert (run.project, run.run_group, list(run.tags)) == ("mine", "seeds", ["a", "b"])
    assert run.display_name == f"{tracked.record.id} beta-vae tiny seed 0"
    summary = {
        "/".join(item.nested_key) or item.key: json.loads(item.value_json)
        for record in wandb_records
        for item in record.summary.update
    }
    assert summary["final/mig"] == pytest.approx(final(tracked))
    media = list((tracked.path / "wandb").glob("offline-run-*/files/media/*/figures/*"))
    assert sorted(file.suffix for file in media) == [".gif", ".png"]


def test_settings_are_kept_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_trackers(["TensorBoard:folder=boards", "wandb:mode=auto", "wandb"]) == (
        f"tensorboard:folder={tmp_path}/boards",
        "wandb",
    )
    assert check_trackers("wandb:tags=a+b,project=mine") == ("wandb:project=mine,tags=a+b",)


def test_wandb_continues_online_after_the_last_step_of_the_server(tracked, monkeypatch):
    rows, given = [], {}

    class OnServer:
        starting_step, step, url, summary = 3, 3, "https://wandb.ai/me/mine/runs/1", {}

        def log(self, values, step):
            rows.append(step)

        def finish(self, exit_code):
            rows.append(f"ended with {exit_code}")

    def init(**options):
        given.update(options)
        return OnServer()

    fake = types.SimpleNamespace(init=init, Settings=dict, Image=str, Video=lambda f, format: f)
    fake.teardown = lambda: rows.append("complete")
    fake.__spec__ = fake  # it counts as installed
    monkeypatch.setitem(sys.modules, "wandb", fake)
    Mirror(tracker_of("wandb:mode=online"), tracked.path, "wandb:mode=online").finish()
    assert rows == [3, 4, 5, 5, 5, "ended with 0", "complete"]
    assert (given["resume"], given["mode"]) == ("allow", "online")


def test_wandb_without_a_login_costs_nothing(strangers, tmp_path, monkeypatch):
    from disentangle.errors import TrackingWarning

    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.warns(TrackingWarning, match=r"wandb failed: UsageError: .*wandb login"):
        run = train("beta-vae", "tiny", results=tmp_path, track=["wandb:mode=online"], **SMALL)
    assert load_run(run.path).finished


@pytest.mark.parametrize(
    "tracker",
    [
        "tensorboard",
        "wandb:mode=offline",
        pytest.param("mlflow", marks=[pytest.mark.slow, OF_MLFLOW]),
    ],
)
def test_builtin_tracker_keeps_the_contract(tracker, store):
    for check in check_tracker(f"mlflow:uri={store}" if tracker == "mlflow" else tracker):
        check()
