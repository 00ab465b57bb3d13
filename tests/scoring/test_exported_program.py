"""Exported programs as encoders: what is said if they do not take the images."""

import json

import pytest
import torch
from torch import nn

from disentangle.errors import DisentangleError
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


def test_decoder_is_known_by_its_name_or_its_description(exported):
    assert "this is a decoder, which takes" in refusal(exported("decoder.pt2"), 2, 1, 8, 8)
    path = exported("half.pt2")
    path.with_name("half.pt2.json").write_text(json.dumps({"parts": {"decoder": {}}}))
    assert "this is a decoder, which takes" in refusal(path, 2, 1, 8, 8)


def test_program_of_a_fixed_batch_says_how_to_export_it(exported):
    assert "takes a fixed number of images: expected [4, 3], got [2, 3]" in refusal(
        exported("net.pt2", batch=None), 2, 3
    )
