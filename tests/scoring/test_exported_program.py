"""Exported programs as encoders: what is said if they do not take the images."""

import json

import pytest
import torch
from torch import nn

import disentangle
from disentangle.errors import DisentangleError, UsageError
from disentangle.scoring.encoder_loading import load_encoder


@pytest.fixture
def exported(tmp_path):
    """A function that exports a linear network of 3 inputs, for batches of any size by default."""

    def export(name, batch=torch.export.Dim.DYNAMIC):
        program = torch.export.export(
            nn.Linear(3, 2).eval(), (torch.zeros(4, 3),), dynamic_shapes=({0: batch},)
        )
        torch.export.save(program, tmp_path / name)
        return tmp_path / name

    return export


def refusal(path, *shape):
    with pytest.raises(DisentangleError) as raised:
        load_encoder(str(path)).function(torch.zeros(shape))
    return str(raised.value)


def test_program_of_other_inputs_says_which(exported):
    path = exported("net.pt2")
    assert load_encoder(str(path)).function(torch.zeros(7, 3)).shape == (7, 2)
    assert refusal(path, 2, 1, 8, 8) == (
        f"{path}: the program takes other inputs than images of this dataset: expected [N, 3], "
        "got [2, 1, 8, 8]"
    )


def test_decoder_is_known_by_its_name(exported):
    assert refusal(exported("decoder.pt2"), 2, 1, 8, 8).endswith(
        "got [2, 1, 8, 8]; if it is a decoder, give the encoder"
    )


def described(path, *parts):
    """Write the description of a file of `export` beside it."""
    description = {"run": "0123456789", "parts": {part: {} for part in parts}}
    path.with_name(f"{path.name}.json").write_text(json.dumps(description))
    return path


@pytest.mark.parametrize(
    ("prefix", "suffix"), [("", "onnx"), ("onnx:", "onnx"), ("", "pt2"), ("", "safetensors")]
)
def test_decoder_is_known_by_its_description(tmp_path, prefix, suffix):
    path = described(tmp_path / f"half.{suffix}", "decoder")
    path.write_bytes(b"anything")
    known = f"{path}: the decoder of run 0123456789, which takes latents, not images; "
    write = f"write its encoder, `disentangle export 0123456789 -o {tmp_path} --format {suffix} "
    remedies = [f"{write}--part encoder`", f"give its encoder, `--encoder {tmp_path}/encoder."]
    for remedy in ["score the run itself"] if suffix == "safetensors" else remedies:
        with pytest.raises(UsageError) as raised:
            load_encoder(f"{prefix}{path}")
        assert str(raised.value).startswith(known + remedy)
        (tmp_path / f"encoder.{suffix}").touch()


def test_decoder_that_export_wrote_is_known(run, tmp_path):
    (decoder,) = disentangle.export(run, tmp_path, format="state-dict", part="decoder")
    with pytest.raises(UsageError, match=f"decoder of run {run.record.id}"):
        load_encoder(str(decoder.path))


def test_description_of_an_encoder_or_of_another_program_refuses_nothing(exported):
    path = described(exported("net.pt2"), "encoder")
    assert load_encoder(str(path)).function(torch.zeros(7, 3)).shape == (7, 2)
    path.with_name("net.pt2.json").write_text('["decoder"]')
    assert load_encoder(str(path)).function(torch.zeros(7, 3)).shape == (7, 2)


def test_program_of_a_fixed_batch_says_how_to_export_it(exported):
    assert "takes a fixed number of images: expected [4, 3], got [2, 3]" in refusal(
        exported("net.pt2", batch=None), 2, 3
    )
