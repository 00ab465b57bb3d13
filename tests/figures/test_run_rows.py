"""One row per run: which latent is shown, in which direction, and under which name."""

import numpy as np
import pytest
import torch
from helpers.figure_checks import check_contrast, check_type

from disentangle.errors import DisentangleError, UsageError
from disentangle.figures import picture, run_rows
from disentangle.figures.bases import find_bases
from disentangle.figures.factor_names import Informed
from disentangle.figures.run_rows import draw_run_rows
from disentangle.figures.traversals import TraversalStyle
from disentangle.runs.labels import write_label

LABELS = np.tile(np.arange(4), 10)[:, None]


def informed(codes, shares):
    return Informed(("x",), np.array(shares, float)[:, None], codes, LABELS)


def test_row_of_a_factor_is_the_latent_that_knows_most_of_it_rising_with_it(run):
    codes = np.stack([LABELS[:, 0] * 1.0, -2.0 * LABELS[:, 0]], axis=1)
    rising = run_rows.by_factor(run, informed(codes, [0.7, 0.2]), "x")
    falling = run_rows.by_factor(run, informed(codes, [0.2, 0.71]), "x")
    assert (rising.latent, rising.reverse, rising.note) == (0, False, "70 %")
    assert (falling.latent, falling.reverse, falling.note) == (1, True, "71 %")


def test_row_of_a_latent_is_the_one_that_correlates_most_with_it(run):
    rng = np.random.default_rng(0)
    first = rng.normal(size=(100, 2))
    other = np.stack([rng.normal(size=100), -first[:, 1]], axis=1)
    row = run_rows.by_match(run, first, other, 1)
    assert (row.latent, row.reverse, row.note) == (1, True, "|r| 1.00")
    own = run_rows.by_match(run, first, first, 1)
    assert (own.latent, own.reverse, own.note) == (1, False, "")


def test_reversed_row_is_shown_from_its_other_end(run, monkeypatch):
    images = torch.arange(3.0).reshape(1, 3, 1, 1, 1)
    monkeypatch.setattr(run_rows, "traverse", lambda *arguments: images)
    for reverse, seen in ((False, [0, 1, 2]), (True, [2, 1, 0])):
        row = run_rows.RunRow(run, 0, reverse, "")
        assert run_rows.row_images(row, None, 3, None).flatten().tolist() == seen


def test_figure_has_a_row_per_run_and_a_block_per_factor(run, monkeypatch):
    drawn = []
    monkeypatch.setattr(picture, "save_figure", lambda figure, path, **about: drawn.append(figure))
    write_label(run.path, name="mine")
    path = draw_run_rows([run, run, run], ["side", "2"], style=TraversalStyle(columns=6))
    assert path.parent == run.figures
    assert path.name.startswith("traversals-columns-6-rows-side-2-3-runs-")
    assert len(drawn[0].axes) == 2 * 3
    said = check_type(drawn[0])
    check_contrast(drawn[0])
    assert {"side", "z2 of the first run"} <= set(said)
    assert sum(text.startswith("mine\nz") for text in said) == 6


def test_rows_that_cannot_be_drawn_say_why(run, variant):
    with pytest.raises(UsageError, match=r"--row sied: expected a factor \(.*side.*mean 'side'"):
        draw_run_rows([run, run], ["sied"])
    with pytest.raises(UsageError) as caught:
        draw_run_rows([run, run], ["wheels"])
    assert str(caught.value).count("side") == 1  # the factors are listed once
    with pytest.raises(UsageError, match="give one value per option: --row side --row 2"):
        draw_run_rows([run, run], ["side,2"])
    with pytest.raises(UsageError, match="a latent of the first run, 0 to 9"):
        draw_run_rows([run, run], ["10"])
    with pytest.raises(UsageError, match="a single base image of the dataset, got --base prior"):
        draw_run_rows([run, run], ["side"], "prior")
    other = variant("other", fingerprint="f" * 64)
    with pytest.raises(DisentangleError, match="cannot align the traversals"):
        draw_run_rows([run, other], ["side"])


def test_command_takes_several_runs_with_a_row(run, command, tmp_path):
    path = tmp_path / "rows.svg"
    words = (run.path, run.path, "--row", "side", "--columns", 5, "--output", path)
    code, out, err = command("traverse", *words)
    assert (code, out.strip()) == (0, str(path)), err
    assert "informative of it, with its share" in " ".join(path.read_text().split())
    code, _, err = command("traverse", run.path, run.path, "--output", path)
    assert code == 2
    assert "--row draws one row per run into one file" in " ".join(err.split())


def test_discrete_codes_are_shown_over_their_own_values(run, monkeypatch):
    def values(latent, n):
        return torch.tensor([-1.0, 0.0, 2.0]) + latent

    monkeypatch.setattr(run.model, "traversal", values)
    rows = [run_rows.RunRow(run, d, False, "") for d in (0, 1)]
    (base,) = find_bases(run, ["first"])
    style = TraversalStyle()
    blocks = [run_rows.Block("side", rows, of_factor=True)]
    said = run_rows.caption_of(blocks, base, style, [None, None])
    assert "over the latent's own range" in said
    drawn = run_rows.make_canvas([run, run], blocks, [base, base], style)
    assert drawn.figure.axes[0].images[0].get_array().shape[1] == 3 * 65 - 1
    check_type(drawn.figure)
