"""A run on disk: read back as it was written, and refused when it was not."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import disentangle
from disentangle._utils.tensors import digest
from disentangle.errors import DisentangleError
from disentangle.runs import checkpoint
from disentangle.runs.checkpoint import Checkpoint, read_tensors
from disentangle.runs.collection import find_runs
from disentangle.runs.run import read_run
from disentangle.runs.scores import read_scores


def test_record_is_read_back_as_it_was_written(trained, run):
    assert run.record == trained.record
    assert run.finished
    assert run.record.settings["beta"].origin == "given"
    assert run.record.settings["latents"].origin == "default"
    assert run.record.dataset.factors == {"side": 3, "x": 5, "y": 5}
    assert run.record.weights == digest(run.model.state_dict())


def test_telling_knobs_are_the_models_own_and_those_that_were_changed(run):
    assert run.record.shown_knobs == {"beta": 2.0}
    settings = dict(run.record.settings)
    settings["beta"] = settings["beta"].model_copy(update={"value": 4.0})
    settings["network"] = settings["network"].model_copy(update={"value": "burgess"})
    record = run.record.model_copy(update={"settings": settings})
    assert record.shown_knobs == {"network": "burgess", "beta": 4.0}


def test_id_leaves_out_where_and_when(run):
    elsewhere = run.record.model_copy(update={"device": "mps", "threads": 9, "started": "never"})
    assert elsewhere.id == run.record.id
    assert len(run.record.id) == 10


def test_encode_takes_uint8_and_float_and_gives_means(run):
    images = run.dataset.images([0, 7, 30])
    z = run.encode(images)
    assert z.shape == (3, 10)
    torch.testing.assert_close(run.encode(images.float() / 255), z)
    torch.testing.assert_close(run.encode(images.numpy()), z)
    torch.testing.assert_close(run.code(images).mean, z)


def test_decode_gives_images_between_0_and_1(run):
    images = run.decode(np.zeros((2, 10)))
    assert images.shape == (2, 1, 64, 64)
    assert 0 <= images.min() <= images.max() <= 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((2, 3, 64, 64), np.uint8),
            r"expected images \[N, 1, 64, 64\], got \[2, 3, 64, 64\]",
        ),
        (np.zeros((2, 1, 64, 64), np.int64), "got torch.int64"),
        (np.full((1, 1, 64, 64), 255.0), "use uint8"),
    ],
)
def test_wrong_images_are_refused(run, images, message):
    with pytest.raises(DisentangleError, match=message):
        run.encode(images)


def test_wrong_latents_are_refused(run):
    with pytest.raises(DisentangleError, match=r"latents must have shape \[N, 10\], got \[2, 9\]"):
        run.decode(np.zeros((2, 9)))


def test_missing_run_is_named(tmp_path):
    with pytest.raises(DisentangleError, match="not a run"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("model"), "model: Field required"),
        (lambda r: r.update(colour="red"), "colour: Extra inputs are not permitted"),
        (lambda r: r.update(format=2), "format: Input should be 1"),
        (lambda r: r.update(threads="many"), "threads: Input should be a valid integer"),
        (lambda r: r["training"].pop("seed"), "seed is missing"),
        (lambda r: r["training"]["steps"].update(value="few"), "steps must be a whole number"),
        (lambda r: r["training"].update(warp=r["training"]["lr"]), "no hyper-parameter 'warp'"),
    ],
)
def test_edited_record_is_refused_with_the_field(run, change, message):
    file = run.path / "run.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    with pytest.raises(DisentangleError) as caught:
        read_run(run.path)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["settings"].pop("beta"), "beta is missing"),
        (lambda r: r["settings"].update(warp=r["settings"]["beta"]), "no hyper-parameter 'warp'"),
        (lambda r: r.update(model_version=7), r"expected versions \(7, 1\)"),
        (lambda r: r["training"]["seed"].update(value=9), "expected the checkpoint of run"),
        (lambda r: r["settings"]["latents"].update(value=10**12), "cannot be built"),
    ],
)
def test_record_that_does_not_fit_its_model_or_weights_is_refused(run, change, message):
    file = run.path / "run.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    with pytest.raises(DisentangleError, match=message) as caught:
        _ = read_run(run.path).model
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b"[]"])
def test_scores_that_cannot_be_read_are_named(run, content):
    (run.path / "scores.json").write_bytes(content)
    with pytest.raises(DisentangleError, match=r"scores\.json: invalid record"):
        read_scores(run)


@pytest.mark.parametrize(
    "rest", [b'{"step": 9, "terms": {}', b'{"a": {}}', b"garbage", b"{}", b"\xff\xfe", b"[1]"]
)
def test_damaged_lines_of_the_log_are_left_out(run, rest):
    whole = run.log
    with (run.path / "log.jsonl").open("ab") as file:
        file.write(rest)
    assert run.log == whole


def test_code_may_be_changed_in_place_and_trained_on(run):
    z = run.encode(run.dataset.images([0, 1]))
    z[:, 0] = 3
    torch.nn.Linear(10, 1)(z).sum().backward()


def test_moved_data_is_found_where_it_is_said_to_be(run, tmp_path, monkeypatch):
    opened, seen = run.dataset, {}

    def load_dataset(name, **options):
        seen.update(options)
        return opened

    monkeypatch.setattr("disentangle.data.loading.load_dataset", load_dataset)
    assert read_run(run.path, data_dir=tmp_path, file="f").dataset is opened
    seen.pop("say")
    assert seen == {"data_dir": tmp_path, "file": "f", "image_size": None, "channels": None}


def test_half_written_record_is_refused(run):
    file = run.path / "run.json"
    file.write_text(file.read_text()[:100])
    with pytest.raises(DisentangleError, match="invalid record"):
        read_run(run.path)


@pytest.mark.parametrize("damage", ["flip", "truncate", "pickle", "empty", "foreign", "missing"])
def test_damaged_checkpoint_is_refused(run, damage):
    path = run.checkpoint_path
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-100] ^= 1
        path.write_bytes(content)
    elif damage == "truncate":
        path.write_bytes(content[:-1000])
    elif damage == "pickle":
        torch.save({"a": torch.zeros(3)}, path)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        save_file({"a": torch.zeros(3)}, path)
    else:
        path.unlink()
    with pytest.raises(DisentangleError) as caught:
        run.encode(run.dataset.images([0]))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_model_are_refused(run):
    about = {"run": run.record.id, "step": 5, "seconds": 0}
    checkpoint.write_tensors(run.checkpoint_path, {"model/a": torch.zeros(3)}, about)
    with pytest.raises(DisentangleError, match="the weights do not match the model"):
        run.encode(run.dataset.images([0]))


def test_other_weights_than_the_run_ended_with_are_refused(run):
    tensors, about = checkpoint.read_tensors(run.checkpoint_path)
    changed = {name: tensor + 1 for name, tensor in tensors.items()}
    checkpoint.write_tensors(run.checkpoint_path, changed, about)
    with pytest.raises(DisentangleError, match="not the final weights of this run"):
        run.encode(run.dataset.images([0]))


def test_other_data_under_the_same_name_is_refused(run):
    run.save_record(dataset=run.record.dataset.model_copy(update={"fingerprint": "f" * 64}))
    with pytest.raises(DisentangleError, match="expected 'tiny' with fingerprint ffffffffff"):
        _ = run.dataset


def test_run_in_use_is_locked(run):
    with (
        run.lock(),
        pytest.raises(DisentangleError, match="another process is training or scoring"),
        read_run(run.path).lock(),
    ):
        pass


def test_runs_are_found_below_a_folder(run):
    assert find_runs(run.path.parent) == [run.path]


def test_runs_are_looked_for_in_every_folder_but_those_of_runs(tmp_path):
    for name in ("b", "a/.hidden", "a/deep/er", "b/history"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = [path.relative_to(tmp_path).as_posix() for path in find_runs(tmp_path)]
    assert found == ["a/.hidden", "a/deep/er", "b"]
    assert find_runs(tmp_path / "b") == [tmp_path / "b"]
    assert find_runs(tmp_path / "nowhere") == []


def test_public_names_are_importable_and_lazy():
    for name in disentangle.__all__:
        assert getattr(disentangle, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = disentangle.nothing
    assert set(disentangle.__all__) <= set(dir(disentangle))


def test_checkpoint_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    written = Checkpoint(
        run="a",
        step=7,
        seconds=1.5,
        model={"w": torch.arange(3.0)},
        optimizers=[{"0.step": torch.tensor(7.0)}, {}, {"0.sum": torch.ones(2)}],
        history={"kl": torch.tensor([1.0, 2.0])},
    )
    written.save(path)
    read = Checkpoint.load(path, "a")
    assert (read.run, read.step, read.seconds) == ("a", 7, 1.5)
    assert read.model["w"].tolist() == [0, 1, 2]
    assert [sorted(state) for state in read.optimizers] == [["0.step"], [], ["0.sum"]]
    assert read.history["kl"].tolist() == [1, 2]


def test_checkpoint_of_weights_alone_says_no_time(tmp_path):
    path = tmp_path / "kept.safetensors"
    Checkpoint(run="a", step=5, model={"w": torch.zeros(1)}).save(path)
    assert read_tensors(path)[1] == {"run": "a", "step": 5}
    assert Checkpoint.load(path, "a").optimizers == []
