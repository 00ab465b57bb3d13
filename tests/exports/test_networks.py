"""Exported encoders and decoders: they compute what the run does, and say what they are."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file

import disentangle
from disentangle.errors import DisentangleError, UsageError
from disentangle.exports import networks as exporting
from disentangle.runs.checkpoint import digest


def test_exported_program_is_the_runs_encoder(command, run, tmp_path):
    code, out, err = command(
        "export", run.path, "--format", "pt2", "--part", "encoder", "-o", "exported"
    )
    assert (code, out) == (0, "exported/encoder.pt2\n")
    assert "largest difference from the run on the same images: mean " in err
    program = torch.export.load("exported/encoder.pt2").module()
    images = run.dataset.images([0, 7, 30])
    for count in (1, 3):
        outputs = program(images[:count].float() / 255)
        torch.testing.assert_close(outputs["mean"], run.encode(images[:count]))
    about = json.loads((tmp_path / "exported" / "encoder.pt2.json").read_text())
    assert about["run"] == run.record.id
    assert about["parts"]["encoder"] == {
        "input": {"images": "float32 [N, 1, 64, 64] in [0, 1]"},
        "output": {"mean": "float32 [N, 10]", "scale": "float32 [N, 10]"},
    }
    assert about["largest_difference"].keys() == {"mean", "scale"}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["pt2", "onnx"])
def test_exported_encoder_has_the_scores_of_the_run(command, run, format):
    if format == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    metrics = ["--metric", "mig", "--metric", "sap", "--metric", "mcc", "--json"]
    ((_, expected),) = json.loads(command("score", run.path, *metrics)[1]).items()
    command("export", run.path, "--format", format, "--part", "encoder", "-o", "exported")
    file = f"exported/encoder.{format}"
    code, out, err = command("score", "--encoder", file, "--dataset", "tiny", *metrics)
    assert code == 0, err
    assert json.loads(out)["scores"] == pytest.approx(expected["scores"], abs=0.01)


@pytest.mark.parametrize(
    ("model", "likelihood"),
    [("vae", "bernoulli"), ("vae", "continuous-bernoulli"), ("qlae", "gaussian-learned")],
)
def test_onnx_files_compute_what_the_run_does(strangers, tmp_path, model, likelihood):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    options = {"steps": 1, "batch_size": 8, "figures": False, "device": "cpu"}
    run = disentangle.train(model, "tiny", likelihood=likelihood, results=tmp_path, **options)
    written = disentangle.export(run, tmp_path / "onnx", format="onnx")
    assert [one.path.name for one in written] == ["encoder.onnx", "decoder.onnx"]
    session = onnxruntime.InferenceSession(str(written[0].path))
    names = [output.name for output in session.get_outputs()]
    assert names == (["mean"] if model == "qlae" else ["mean", "scale"])
    images = run.dataset.images([0, 7, 30])
    (mean, *_) = session.run(None, {"images": (images.float() / 255).numpy()})
    torch.testing.assert_close(torch.from_numpy(mean), run.encode(images), atol=1e-5, rtol=1e-4)
    session = onnxruntime.InferenceSession(str(written[1].path))
    (decoded,) = session.run(None, {"latents": mean[:2]})
    expected = run.decode(mean[:2])
    torch.testing.assert_close(torch.from_numpy(decoded), expected, atol=0.01, rtol=0)


def test_state_dict_is_imported_by_the_command_beside_it(command, run, tmp_path):
    code, out, err = command("export", run.path, "--format", "state-dict", "-o", "exported")
    assert (code, out) == (0, "exported/model.safetensors\n"), err
    assert digest(load_file("exported/model.safetensors")) == run.record.weights
    about = json.loads((tmp_path / "exported" / "model.safetensors.json").read_text())
    assert max(about["largest_difference"].values()) < 1e-5
    words = about["import"].split()[1:]
    words[1] = "exported/model.safetensors"
    code, out, err = command(*words)
    assert code == 0, err
    imported = disentangle.load_run(out.strip())
    assert imported.record.weights == run.record.weights
    assert imported.record.knobs == run.record.knobs
    images = run.dataset.images([3])
    assert torch.equal(imported.encode(images), run.encode(images))


def test_state_dict_of_a_part_has_its_tensors_alone(run, tmp_path):
    (written,) = disentangle.export(run, tmp_path, format="state-dict", part="decoder")
    assert written.path.name == "decoder.safetensors"
    tensors = load_file(written.path)
    assert {name.partition(".")[0] for name in tensors} == {"decoder"}


def test_existing_files_are_replaced_only_by_force(command, run):
    words = ("export", run.path, "--format", "state-dict", "-o", "exported")
    command(*words)
    code, out, err = command(*words)
    assert (code, out) == (1, "")
    assert "exported/model.safetensors already exists and is not overwritten" in err
    assert command(*words, "--force")[0] == 0


def test_file_that_computes_something_else_is_not_written(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        exporting, "read_state", lambda *_: lambda x: {"mean": x.flatten(1)[:, :10], "scale": x}
    )
    with pytest.raises(DisentangleError, match="not written, as its mean differs from the run's"):
        disentangle.export(run, tmp_path / "out", format="state-dict")
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_if_one_of_two_files_is_wrong(run, tmp_path, monkeypatch):
    right = exporting.read_state

    def wrong(run, content, part):
        function = right(run, content, part)
        shift = 1.0 if part == "decoder" else 0.0
        return lambda x: {name: values + shift for name, values in function(x).items()}

    monkeypatch.setattr(exporting, "write_pt2", lambda module, *_: exporting.write_state(run.model))
    monkeypatch.setattr(exporting, "function_of", lambda run, path, *rest: wrong(run, *rest))
    with pytest.raises(DisentangleError, match=r"decoder\.pt2: not written, as its images differs"):
        disentangle.export(run, tmp_path / "out", format="pt2")
    assert not (tmp_path / "out").exists()


def test_users_file_in_the_place_of_a_description_is_kept(run, tmp_path):
    (tmp_path / "model.safetensors.json").write_text("mine")
    with pytest.raises(DisentangleError, match=r"model\.safetensors\.json already exists"):
        disentangle.export(run, tmp_path, format="state-dict")
    assert (tmp_path / "model.safetensors.json").read_text() == "mine"


def test_run_without_its_dataset_is_compared_on_random_images(run, tmp_path, monkeypatch):
    def absent(self):
        raise DisentangleError("dataset 'tiny' is not prepared")

    monkeypatch.setattr(type(run), "_open", absent)
    texts = []
    (written,) = disentangle.export(run, tmp_path / "out", format="state-dict", say=texts.append)
    assert written.path.exists()
    assert texts == [
        "The files are compared with the run on random images, as dataset 'tiny' is not prepared"
    ]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_missing_packages_are_one_line(run, tmp_path, monkeypatch, missing):
    pytest.importorskip("onnx")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(DisentangleError, match=rf"\({missing} is missing\). Run `pip install 'dis"):
        disentangle.export(run, tmp_path / "out", format="onnx")


def test_unknown_format_lists_the_formats(command, run, tmp_path):
    with pytest.raises(
        UsageError, match="expected format archive, onnx, pt2 or state-dict; got tflite"
    ):
        disentangle.export(run, tmp_path, format="tflite")
    code, _, err = command("export", run.path, "--format", "tflite", "-o", "out")
    assert code == 2
    assert "onnx, pt2, state-dict" in err


def test_unfinished_run_is_refused(run, tmp_path):
    run.record = run.record.model_copy(update={"finished": None})
    with pytest.raises(DisentangleError, match="training has not finished"):
        disentangle.export(run, tmp_path / "out", format="state-dict")


def test_folder_that_cannot_be_made_is_one_line(command, run, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = command("export", run.path, "--format", "state-dict", "-o", "file/out")
    assert code == 1
    assert err == "error: file/out: cannot be written: Not a directory\n"
