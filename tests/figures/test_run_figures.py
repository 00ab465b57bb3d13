"""Figures of a run: which there are, in which formats, and where each says that it came from."""

import re

import pytest
import torch
from helpers.figure_checks import check_type
from PIL import Image

from disentangle._utils.versions import made_by
from disentangle.cli.app import app
from disentangle.errors import UsageError
from disentangle.figures import canvas, picture
from disentangle.figures import reconstructions as grids
from disentangle.figures.bases import find_bases
from disentangle.figures.canvas import title
from disentangle.figures.kl_curves import draw_kl
from disentangle.figures.latents import measure_latents
from disentangle.figures.reconstructions import draw_reconstructions, draw_samples
from disentangle.figures.run_figures import draw_all, files_of
from disentangle.runs.layout import FILES
from disentangle.scoring.score_runs import score
from disentangle.training.train import train

KINDS = ("traversals", "reconstructions", "samples", "matrices", "kl")


@pytest.fixture
def drawn(monkeypatch):
    """What was drawn: matplotlib's figures, in place of their files."""
    found = []
    monkeypatch.setattr(picture, "save_figure", lambda figure, path, **about: found.append(figure))
    return found


def test_latents_are_sorted_by_kl_active_first_and_inactive_ones_say_so(run, monkeypatch):
    from disentangle.contracts.model import Posterior

    class Code(Posterior):
        def kl(self):
            return torch.tensor([[0.1, 5.0, 2.0, 3.0]]).repeat(6, 1)

    mean = torch.randn((6, 4), generator=torch.Generator().manual_seed(0))
    mean[:, 3] = 0.0
    monkeypatch.setattr(run, "code", lambda images: Code(mean, torch.zeros(6, 4)))
    latents = measure_latents(run)
    assert latents.order == [1, 2, 0, 3]
    assert latents.active == [True, True, True, False]
    assert latents.labels[0] == "z1  KL 5.00"
    assert latents.labels[3] == "z3  KL 3.00\ninactive"


def test_all_figures_are_drawn_and_open(run):
    paths = draw_all(run)
    assert [p.name for p in paths] == list(files_of(run))
    assert {p.name for p in paths} == {
        "traversals.png",
        "traversals.gif",
        "reconstructions.png",
        "samples.png",
        "kl.png",
    }
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.width > 300


def test_model_without_a_posterior_is_drawn_without_prior_and_kl_and_once(strangers, tmp_path):
    options = {"steps": 2, "batch_size": 8, "device": "cpu", "results": tmp_path}
    run = train("plain-code", "tiny", **options)
    assert {p.name for p in run.figures.iterdir()} == set(FILES)
    with pytest.raises(UsageError, match="'plain-code' has no prior to sample"):
        find_bases(run, ["prior"])
    with pytest.raises(UsageError, match="'plain-code' has no prior to sample"):
        draw_samples(run)
    with pytest.raises(UsageError, match="'plain-code' has no KL"):
        draw_kl(run)
    before = (run.figures / "traversals.png").stat().st_mtime_ns
    train("plain-code", "tiny", **options)
    assert (run.figures / "traversals.png").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_figure_that_is_missing_is_drawn_at_the_next_call(run, strangers):
    options = {"steps": 2, "batch_size": 8, "device": "cpu", "results": run.path.parent}
    again = train("vae", "tiny", **options)
    (again.figures / "kl.png").unlink()
    train("vae", "tiny", **options)
    assert (again.figures / "kl.png").exists()


@pytest.mark.slow
def test_every_kind_has_a_command_and_traverse_is_short_for_one(run, command):
    score(run, ["mig"])
    for kind in KINDS:
        code, out, err = command("figure", kind, run.path)
        assert code == 0, err
        assert out.split()[0] == str(run.figures / f"{kind}.png")
        assert (run.figures / f"{kind}.png").exists()
    short = {c.callback for c in app.registered_commands if c.name == "traverse"}
    group = next(g.typer_instance for g in app.registered_groups if g.name == "figure")
    assert short == {c.callback for c in group.registered_commands} & short != set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_of_no_format_is_refused(run, command, tmp_path, kind):
    code, out, err = command("figure", kind, run.path, "--output", tmp_path / "figure.jpg")
    assert code == 2
    assert "figure.jpg: expected a file name that ends with .png, .pdf, .svg" in " ".join(
        err.split()
    )
    assert out == ""
    assert not (tmp_path / "figure.jpg").exists()


DRAW = pytest.mark.parametrize("draw", [draw_reconstructions, draw_kl])


@DRAW
def test_png_tells_its_source(run, tmp_path, draw):
    with Image.open(draw(run, output=tmp_path / "made" / "a.PNG")) as image:
        assert image.format == "PNG"
        assert image.text["Software"] == made_by()
        assert image.text["Source"] == title(run)


@DRAW
def test_pdf_tells_its_source_and_its_text_is_text(run, tmp_path, draw):
    pdf = draw(run, output=tmp_path / "a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert made_by().replace("(", r"\(").replace(")", r"\)").encode() in pdf
    assert f"run {run.record.id}".encode() in pdf
    assert b"/FontFile2" in pdf  # TrueType


@DRAW
def test_svg_tells_its_source_and_its_text_is_text(run, tmp_path, draw):
    svg = draw(run, output=tmp_path / "a.svg").read_text()
    assert f"<dc:source>{title(run)}</dc:source>" in svg
    assert f"<dc:title>{made_by()}</dc:title>" in svg
    assert re.search(r"<(text|tspan)[^>]*>[^<]*beta-vae on tiny", svg)


def test_source_is_written_below(run, drawn):
    draw_samples(run, 8)
    said = " ".join(" ".join(check_type(drawn[0])).split())
    assert f"run {run.record.id}" in said
    assert made_by() in said


def test_unfinished_run_says_so_in_its_title(run):
    run.save_record(finished=None)
    assert "5 steps, UNFINISHED, seed 0" in title(run)


@pytest.mark.parametrize(("count", "rows"), [(3, 1), (8, 1), (9, 2)])
def test_reconstructions_lie_below_their_images_a_column_wide(run, drawn, monkeypatch, count, rows):
    monkeypatch.setattr(run, "decode", lambda z: torch.zeros(len(z), 1, 64, 64))
    draw_reconstructions(run, count)
    assert drawn[0].get_figwidth() == canvas.COLUMN
    assert len(drawn[0].axes) == rows
    first = drawn[0].axes[0].images[0].get_array()
    assert first.shape[:2] == (129, 65 * min(count, 8) - 1)
    assert first[:64, :64].any()
    assert not first[65:, :64].any()
    assert check_type(drawn[0]).count("reconstruction") == rows


def test_samples_are_decoded_draws_of_the_prior_by_the_runs_seed(run, drawn, monkeypatch):
    seen = []
    monkeypatch.setattr(
        run, "decode", lambda z: seen.append(z) or torch.ones(len(z), 1, 64, 64) * 0.25
    )
    draw_samples(run, 10)
    draw_samples(run, 10)
    assert seen[0].shape == (10, 10)
    assert (seen[0] == seen[1]).all()
    assert abs(float(seen[0].std()) - 1) < 0.2
    grid = drawn[0].axes[0].images[0].get_array()
    assert grid.shape[:2] == (129, 8 * 65 - 1)
    assert (grid[65:, :64, 0] == 64).all()
    assert (grid[65:, -64:, 0] == 128).all()  # places that no sample takes


def test_print_has_images_at_their_own_resolution(run, tmp_path):
    pdf = grids.draw_samples(run, 16, tmp_path / "a.pdf").read_bytes()
    assert {int(n) for n in re.findall(rb"/Width (\d+)", pdf)} == {8 * 65 - 1}
    assert b"/DCTDecode" not in pdf


def test_dollars_in_a_name_are_no_mathematics(run, drawn):
    run.save_record(dataset=run.record.dataset.model_copy(update={"name": "./$x_1$ {photos}"}))
    canvas.Canvas(canvas.title(run), 3.3, 1.0, shows="x").figure.save(run.path / "a.png")
    assert "$x_1$ {photos}" in " ".join(check_type(drawn[0]))
