"""Latent traversals: what moves, through which values, and in which formats."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from helpers.figure_checks import check_contrast, check_type
from PIL import ExifTags, Image

from disentangle._utils.versions import made_by
from disentangle.contracts.model import Code, Posterior
from disentangle.errors import DisentangleError, OldSpelling, UsageError
from disentangle.figures import canvas, traversals
from disentangle.figures.bases import Base, find_bases
from disentangle.figures.canvas import title
from disentangle.figures.image_grids import mosaic
from disentangle.figures.latents import measure_latents, measure_ranges
from disentangle.figures.traversals import TraversalStyle, draw_traversals, traverse


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
    assert traversals.ends(values) == [(0, "-3"), (1, "0"), (2, "3")]
    assert traversals.ends(values[:, ::10]) == [(0, "-3"), (2, "3")]
    values[1] += 1
    assert traversals.ends(values) == [(0, "lowest"), (2, "highest")]
    assert traversals.ends(values, percentiles=True)[0] == (0, "1st percentile")


@pytest.mark.parametrize(
    ("bases", "width"), [(["random"], canvas.COLUMN), (["random", "first", "prior"], canvas.PAGE)]
)
@pytest.mark.parametrize("span", ["prior", "posterior"])
def test_still_is_a_column_wide_or_a_page_and_its_type_is_readable(
    run, monkeypatch, bases, width, span
):
    found = []
    monkeypatch.setattr(canvas, "save_figure", lambda figure, path, **about: found.append(figure))
    draw_traversals(run, bases, run.path / "a.png", TraversalStyle(span))
    check_contrast(found[0])
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


@pytest.fixture
def canvases(monkeypatch):
    """The figures that were drawn, in place of their files, with the texts of their metadata."""
    drawn = []
    monkeypatch.setattr(
        canvas, "save_figure", lambda figure, path, **about: drawn.append((figure, about))
    )
    return drawn


def labels_of(figure):
    (axes, *_) = figure.axes
    return [text.get_text().split()[0] for text in axes.get_yticklabels()]


def test_latents_are_drawn_in_the_order_given(run, canvases):
    draw_traversals(run, ["first"], run.path / "a.png", TraversalStyle(latents="3,0,7"))
    assert labels_of(canvases[0][0]) == ["z3", "z0", "z7"]
    check_type(canvases[0][0])


def test_active_latents_alone_are_drawn_by_kl_and_none_is_an_error(run, monkeypatch):
    latents = measure_latents(run)
    object.__setattr__(latents, "active", [True, True] + [False] * 8)
    kept = traversals.chosen(latents, "active")
    assert (kept.order, kept.weights) == (latents.order[:2], latents.weights[:2])
    object.__setattr__(latents, "active", [False] * 10)
    with pytest.raises(DisentangleError, match="no latent is active"):
        traversals.chosen(latents, "active")


@pytest.mark.parametrize("which", ["10", "-1", "3,3", "one", "1,", ""])
def test_latents_that_are_not_there_are_refused(run, which):
    with pytest.raises(UsageError, match="expected all, active, or different numbers from 0 to 9"):
        traversals.chosen(measure_latents(run), which)


def test_range_of_a_number_goes_from_minus_it_to_it(run, canvases):
    style = TraversalStyle("1.5", columns=5)
    ranges = traversals.ranges_of(run, style)
    assert traversals.values_of(run, 4, 5, ranges).tolist() == [-1.5, -0.75, 0, 0.75, 1.5]
    draw_traversals(run, ["first"], run.path / "a.png", style)
    assert {"-1.5", "0", "1.5"} <= set(check_type(canvases[0][0]))


@pytest.mark.parametrize("span", ["0", "-1", "inf", "nan", "post"])
def test_range_that_is_none_is_refused(span):
    with pytest.raises(UsageError, match=f"--range {span}: expected"):
        TraversalStyle(span)


def test_range_of_discrete_codes_is_refused(run, monkeypatch):
    monkeypatch.setattr(run, "code", lambda images: Code(torch.zeros(1, 10), discrete=True))
    with pytest.raises(UsageError, match="requires continuous codes"):
        traversals.ranges_of(run, TraversalStyle("2"))
    assert traversals.ranges_of(run, TraversalStyle()) is None


@pytest.mark.parametrize("columns", [2, 3, 25])
def test_any_number_of_columns_has_readable_type(run, canvases, columns):
    style = TraversalStyle("posterior", columns=columns)
    draw_traversals(run, ["random", "first"], run.path / "a.png", style)
    check_type(canvases[0][0])
    picture = canvases[0][0].axes[0].images[0].get_array()
    assert picture.shape[1] == columns * (run.dataset.image_shape[2] + 1) - 1


def test_figure_without_a_caption_keeps_it_in_its_metadata(run, canvases):
    draw_traversals(run, ["first"], run.path / "a.png", TraversalStyle(caption=False))
    figure, about = canvases[0]
    said = " ".join(check_type(figure))
    assert "Each row" not in said
    assert run.record.id not in said
    assert about["caption"].startswith("Each row varies one latent")
    assert run.record.id in about["source"]


def test_drawing_with_options_keeps_the_figure_of_the_training(run):
    first = draw_traversals(run)
    before = [path.read_bytes() for path in first]
    style = TraversalStyle("1.5", "3,0", 4, factors=False, caption=False)
    others = draw_traversals(run, ["first"], style=style)
    assert [path.name for path in others] == [
        f"traversals-base-first-range-1-5-latents-3-0-columns-4-no-factors-no-caption{suffix}"
        for suffix in (".png", ".gif")
    ]
    assert [path.read_bytes() for path in first] == before


def test_old_name_of_a_base_gives_the_new_name_of_a_file(run, canvases):
    with pytest.warns(OldSpelling, match="--base seed is now --base random"):
        paths = draw_traversals(run, ["seed:2"])
    assert [path.stem for path in paths] == ["traversals-base-random-2"] * 2
