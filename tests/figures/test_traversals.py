"""Latent traversals: what moves, through which values, and in which formats."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from helpers.figure_checks import check_type
from PIL import ExifTags, Image

from disentangle._utils.versions import made_by
from disentangle.contracts.model import Code, Posterior
from disentangle.figures import canvas, traversals
from disentangle.figures.bases import Base, find_bases
from disentangle.figures.canvas import title
from disentangle.figures.image_grids import mosaic
from disentangle.figures.latents import measure_latents, measure_ranges
from disentangle.figures.traversals import draw_traversals, traverse


def test_traversal_goes_from_minus_3_to_3_inclusive(run):
    assert run.model.traversal(0, 7).tolist() == [-3, -2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize("ranges", [None, torch.tensor([[-1.0, 2.0]]).repeat(10, 1)])
def test_traversal_moves_one_latent_and_holds_the_others(run, monkeypatch, ranges):
    seen = []
    monkeypatch.setattr(run, "decode", lambda z: seen.append(z.clone()) or torch.zeros(5, 1, 2, 2))
    base = Base("here", "h", torch.arange(10.0))
    block = traversals.traverse(run, base, [4, 2], 5, ranges)
    assert block.shape == (2, 5, 1, 2, 2)
    for z, d in zip(seen, (4, 2), strict=True):
        values = [-3, -1.5, 0, 1.5, 3] if ranges is None else [-1, -0.25, 0.5, 1.25, 2]
        assert z[:, d].tolist() == values
        others = [i for i in range(10) if i != d]
        assert (z[:, others] == base.z[others]).all()


def test_range_of_the_posterior_is_that_of_means_and_their_spread(run, monkeypatch):
    mean = torch.zeros(1000, 2)
    mean[:, 1] = torch.linspace(-10, 10, 1000)
    log_variance = torch.tensor([2.0, 0.01]).square().log().repeat(1000, 1)
    monkeypatch.setattr(run, "code", lambda images: Posterior(mean, log_variance))
    ranges = measure_ranges(run)
    torch.testing.assert_close(ranges[0], torch.tensor([-4.65, 4.65]), atol=0.2, rtol=0)
    torch.testing.assert_close(ranges[1], torch.tensor([-9.8, 9.8]), atol=0.05, rtol=0)
    assert (measure_ranges(run) == ranges).all()


def test_codes_without_a_posterior_have_their_own_range_and_quantised_ones_none(run, monkeypatch):
    mean = torch.linspace(0, 1, 101)[:, None]
    monkeypatch.setattr(run, "code", lambda images: Code(mean))
    torch.testing.assert_close(measure_ranges(run), torch.tensor([[0.01, 0.99]]))
    monkeypatch.setattr(run, "code", lambda images: Code(mean, discrete=True))
    assert measure_ranges(run) is None


def test_ranges_stand_in_the_labels(run):
    ranges = torch.tensor([[-1.0, 2.25]]).repeat(10, 1)
    labels = traversals.with_ranges(measure_latents(run), ranges).labels
    assert all(re.fullmatch(r"z\d  KL \d.\d\d\n-1.0 to 2.2", label) for label in labels)


def test_ends_are_told(run):
    values = torch.linspace(-3, 3, 11).repeat(2, 1)
    assert traversals.ends(values, None) == [(0, "-3"), (1, "0"), (2, "3")]
    values[1] += 1
    assert traversals.ends(values, None) == [(0, "lowest"), (2, "highest")]
    assert traversals.ends(values, torch.zeros(2, 2))[0] == (0, "1st percentile")


@pytest.mark.parametrize(
    ("bases", "width"), [(["random"], canvas.COLUMN), (["random", "first", "prior"], canvas.PAGE)]
)
@pytest.mark.parametrize("span", ["prior", "posterior"])
def test_still_is_a_column_wide_or_a_page_and_its_type_is_readable(
    run, monkeypatch, bases, width, span
):
    found = []
    monkeypatch.setattr(canvas, "save_figure", lambda figure, path, **about: found.append(figure))
    draw_traversals(run, bases, run.path / "a.png", span=span)
    assert found[0].get_figwidth() == width
    said = check_type(found[0])
    assert len([text for text in said if text.startswith("z")]) == 10 * -(-len(bases) // 2)
    assert ("99th percentile" if span == "posterior" else "3") in said


def test_vector_formats_hold_the_images_pixel_for_pixel(run, tmp_path):
    (path,) = draw_traversals(run, ["first"], tmp_path / "a.svg")
    svg = path.read_text()
    order = measure_latents(run).order
    (base,) = find_bases(run, ["first"])
    expected = mosaic(traverse(run, base, order, traversals.COLUMNS))
    shown = re.findall(r'href="data:image/png;base64,([^"]+)"', svg)
    pictures = [np.array(Image.open(io.BytesIO(base64.b64decode(s))).convert("RGB")) for s in shown]
    assert any(p.shape == expected.shape and (p == expected).all() for p in pictures)
    assert f">z{order[0]}  KL " in svg
    (path,) = draw_traversals(run, ["first"], tmp_path / "a.pdf")
    assert f"/Width {expected.shape[1]}".encode() in path.read_bytes()


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_motion_goes_there_and_back_and_tells_its_source(run, tmp_path, suffix):
    (path,) = draw_traversals(run, ["first"], tmp_path / f"a{suffix}")
    with Image.open(path) as image:
        assert image.n_frames == 2 * traversals.FRAMES - 2
        if suffix == ".gif":
            assert image.info["comment"].decode() == f"{title(run)}; {made_by()}"
        else:
            exif = image.getexif()
            assert exif[ExifTags.Base.Software] == made_by()
            assert exif[ExifTags.Base.ImageDescription] == title(run)


def test_traverse_takes_the_options_of_its_figure(run, command, tmp_path):
    path = tmp_path / "one.svg"
    words = ("--base", "first", "--range", "posterior", "--output", path)
    code, out, err = command("traverse", run.path, *words)
    assert code == 0, err
    assert out.split() == [str(path)]
    assert "99th percentile" in path.read_text()
    code, _, err = command("traverse", run.path, "--output", tmp_path / "one.mp4")
    assert code == 2
    assert "one.mp4: expected a file name that ends with .png, .pdf, .svg, .gif, .webp" in err
