"""Small pictures of runs: what is decoded, and what is cut out of a figure."""

import json

import numpy as np
import pytest
import torch
from helpers.figure_checks import opened
from PIL import Image

from disentangle.errors import DisentangleError
from disentangle.figures.canvas import DPI
from disentangle.reports.thumbnails import COLUMNS, ROWS, SHAPE, TOP, WIDTH, decoded, thumbnail


def test_latents_of_largest_kl_are_decoded_without_the_dataset(run, monkeypatch):
    kl = [0.1, 5.0, 0.2, 4.0, 0.3, 3.0, 0.4, 2.0, 0.5, 0.6]
    (run.path / "log.jsonl").write_text(json.dumps({"step": 5, "kl": kl, "active": 4}))
    monkeypatch.setattr("disentangle.data.loading.load_dataset", None)
    block = decoded(run)
    for row, d in enumerate((1, 3, 5, 7)):
        z = torch.zeros(COLUMNS, 10)
        z[:, d] = run.model.traversal(d, COLUMNS)
        assert torch.allclose(block[row], run.decode(z), atol=1e-6)
    sheet = opened(thumbnail(run))
    assert sheet.shape == (round((ROWS * 65 - 1) * WIDTH / (COLUMNS * 65 - 1)), WIDTH, 3)


def test_without_weights_the_first_panel_is_cut_out_of_the_figure(run):
    run.checkpoint_path.unlink()
    assert thumbnail(run) == ""
    figure = np.full((1800, 1750, 3), 255, np.uint8)
    figure[: round(TOP * DPI), :] = (255, 0, 0)
    figure[:, 1750 // 2 + 70 :] = (0, 0, 255)
    run.figures.mkdir()
    Image.fromarray(figure).save(run.figures / "traversals.png")
    picture = opened(thumbnail(run))
    assert picture.shape == (round(WIDTH * SHAPE), WIDTH, 3)
    assert picture[3:, :-5].min() > 245


def test_a_damaged_figure_is_named(run):
    run.checkpoint_path.unlink()
    run.figures.mkdir()
    (run.figures / "traversals.png").write_text("no picture")
    with pytest.raises(DisentangleError, match=r"traversals\.png: .* Delete it, or draw it again"):
        thumbnail(run)
