"""What a run does on its way: checkpoints that are kept, scores in the log."""

import pytest
import torch

import disentangle
from disentangle._utils.seeds import torch_rng
from disentangle._utils.tensors import digest
from disentangle.contracts.dataset import Dataset
from disentangle.errors import DisentangleError, UsageError
from disentangle.training.periodic import periodic_record
from disentangle.training.progress import details
from disentangle.training.stopping import Interrupted
from disentangle.training.train import train

pytestmark = pytest.mark.usefixtures("strangers")
SMALL = {"batch_size": 8, "figures": False, "device": "cpu", "steps": 12}


def test_scores_are_in_the_log_when_they_are_due_and_change_nothing_else(tmp_path):
    plain = train("vae", "tiny", results=tmp_path / "plain", **SMALL)
    scored = train(
        "vae", "tiny", results=tmp_path / "scored", score_every=5, metrics=["mig"], **SMALL
    )
    assert scored.path.name == plain.path.name
    assert scored.record.weights == plain.record.weights
    found = {entry["step"]: entry["scores"] for entry in scored.log if "scores" in entry}
    assert list(found) == [5, 10]
    assert all(0 <= scores["mig"] <= 1 for scores in found.values())
    assert [entry["terms"] for entry in plain.log] == [entry["terms"] for entry in scored.log]


def test_score_on_the_way_is_that_of_the_weights_there(tmp_path):
    options = {"score_every": 6, "metrics": "mig", "keep": "every:6", **SMALL}
    run = train("vae", "tiny", results=tmp_path, **options)
    model = run.model_at(6)
    scores = disentangle.score_encoder(lambda x: model.encode(x).mean, run.dataset, ["mig"])
    (entry,) = (entry for entry in run.log if entry["step"] == 6)
    assert entry["scores"]["mig"] == pytest.approx(scores["mig"], abs=1e-6)
    assert disentangle.score(run, ["mig"])["mig"] == pytest.approx(run.log[-1]["scores"]["mig"])


def test_weights_are_kept_every_so_many_steps(tmp_path):
    run = train("vae", "tiny", results=tmp_path, keep="every:4", **SMALL)
    assert run.kept == [4, 8, 12]
    last = run.model_at(12).state_dict()
    assert digest(last) == run.record.weights
    assert not torch.equal(run.model_at(4).encoder[0].weight, run.model_at(8).encoder[0].weight)
    with pytest.raises(DisentangleError, match="step 5 was not kept; kept steps: 4, 8, 12"):
        run.model_at(5)


@pytest.mark.slow
def test_stopped_and_resumed_run_keeps_and_scores_as_one_that_was_not(tmp_path):
    options = {"score_every": 5, "metrics": ["mig"], "keep": "every:3", **SMALL}
    whole = train("vae", "tiny", results=tmp_path / "whole", **options)

    class Died(BaseException):
        pass

    def die(step, steps, entry):
        if step == 11:
            raise Died

    parts = {"results": tmp_path / "parts", "checkpoint_every": 4, **options}
    with pytest.raises(Died):
        train("vae", "tiny", report=die, **parts)
    path = next((tmp_path / "parts").rglob("run.json")).parent
    run = disentangle.resume(path, figures=False, device="cpu")
    assert run.record.weights == whole.record.weights
    assert run.kept == whole.kept
    timing = ("images_per_second", "seconds")
    first, second = (
        [{k: v for k, v in entry.items() if k not in timing} for entry in r.log]
        for r in (whole, run)
    )
    assert first == second


class Bare(Dataset):
    """Images without labels."""

    name, fingerprint, source, image_shape = "bare", "0" * 64, "made", (1, 64, 64)

    def __len__(self):
        return 40

    def images(self, index):
        shape = (len(self._index(index)), *self.image_shape)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch_rng(0, "images"))


def test_score_that_cannot_be_had_is_none_and_said_once(tmp_path):
    said = []
    options = {"score_every": 4, "metrics": ["mig"], "say": said.append, **SMALL}
    run = train("vae", Bare(), results=tmp_path, **options)
    assert [entry["scores"] for entry in run.log if "scores" in entry] == 3 * [{"mig": None}]
    assert len([line for line in said if line.startswith("mig: n/a: needs a dataset")]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": "every:0"}, r"--keep must be every:STEPS"),
        ({"keep": "5000"}, r"--keep must be every:STEPS"),
        ({"keep": 3}, r"--keep must be every:STEPS"),
        ({"keep": "every:" + "9" * 50}, r"--keep must be every:STEPS"),
        ({"score_every": 0}, "score_every must be a whole number, at least 1"),
        ({"score_every": 2.5}, "score_every must be a whole number, at least 1"),
        ({"score_every": 5, "metrics": "all"}, "computing all metrics during training takes"),
        ({"score_every": 5, "metrics": "elbo"}, "elbo needs a finished run"),
        ({"metrics": ["mig"]}, "requires --score-every, the interval in steps"),
        ({"score_every": 5, "metrics": ["migg"]}, "did you mean 'mig'"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(options, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        train("vae", "tiny", results=tmp_path, **options, **SMALL)
    assert not list(tmp_path.iterdir())


def test_run_that_has_begun_keeps_its_way(tmp_path):
    def stop(step, steps, entry):
        import os
        import signal

        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train("vae", "tiny", results=tmp_path, keep="every:4", report=stop, **SMALL)
    with pytest.raises(UsageError, match="cannot be changed after a run has started; omit them"):
        train("vae", "tiny", results=tmp_path, keep="every:5", **SMALL)
    run = train("vae", "tiny", results=tmp_path, **SMALL)
    assert run.kept == [4, 8, 12]
    with pytest.raises(UsageError, match="cannot be changed after a run has started"):
        train("vae", "tiny", results=tmp_path, score_every=4, **SMALL)
    assert train("vae", "tiny", results=tmp_path, keep="every:4", **SMALL).path == run.path


def test_metric_that_fails_does_not_end_training(tmp_path, monkeypatch):
    from disentangle_plugins.metrics.mig import MIG

    def fail(self, source, rng):
        raise ValueError("no")

    monkeypatch.setattr(MIG, "score", fail)
    said = []
    run = train(
        "vae", "tiny", results=tmp_path, score_every=6, metrics="mig", say=said.append, **SMALL
    )
    assert run.finished
    assert run.log[-1]["scores"] == {"mig": None}
    assert len([line for line in said if "mig: n/a: metric 'mig' of " in line]) == 1


def test_default_metrics_stay_unnamed_and_named_ones_keep_their_knobs():
    assert not periodic_record(None, 10, None).named
    found = periodic_record(None, 10, (name for name in ["mig:bins=40"]))
    assert (found.metrics, found.named) == (("mig:bins=40",), True)


def test_weights_that_are_not_finite_are_not_kept(tmp_path):
    with pytest.raises(DisentangleError, match="not finite"):
        train("vae", "tiny", results=tmp_path, keep="every:1", lr=1e30, **{**SMALL, "steps": 1000})
    run = disentangle.load_run(next(tmp_path.rglob("run.json")).parent)
    assert all(p.isfinite().all() for step in run.kept for p in run.model_at(step).parameters())


def test_progress_shows_scores():
    entry = {
        "terms": {"kl": 1.0}, "active": 2, "images_per_second": 9.0, "seconds": 1.0,
        "scores": {"mig": 0.1234, "sap": None},
    }  # fmt: skip
    assert details(entry)[:3] == ["active 2", "mig 0.123", "sap n/a"]


def test_command_line_keeps_and_scores(command, tmp_path):
    code, out, err = command(
        "train", "vae", "tiny", "--steps", "8", "--batch-size", "8", "--no-figures",
        "--keep", "every:4", "--score-every", "4", "--metric", "mig:bins=5",
        "--results", str(tmp_path), "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    run = disentangle.load_run(out.strip())
    assert run.kept == [4, 8]
    assert [entry["step"] for entry in run.log if "scores" in entry] == [4, 8]
