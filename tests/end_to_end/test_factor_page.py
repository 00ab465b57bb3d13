"""The factor view in a real browser: a moved factor shows its image and what latents answer."""

import io
import re

import numpy as np
import pytest
import torch
from conftest import registered
from helpers.browsers import MARKS
from PIL import Image
from torch import nn

from disentangle.contracts.model import ACTIVE
from disentangle.figures.latents import measure_latents
from disentangle.reports import pages
from disentangle.runs.named import load_run

pytestmark = MARKS
INACTIVE = 3
BAR = """bar => ["length", "step", "before"].map((name) => {
  const mark = bar.querySelector(`.${name}`).getBoundingClientRect();
  const all = bar.getBoundingClientRect();
  return [mark.left, mark.right].map((x) => 2 * (x - all.left) / all.width - 1);
})"""


@pytest.fixture(scope="module")
def run(trained, strangers_folder, tmp_path_factory):
    """A run of which all latents but one answer to the image."""
    with registered(strangers_folder):
        run = load_run(trained.path)
        images = run.dataset.images(np.arange(75))
        codes = run.encode(images)
        with torch.no_grad():
            *_, last = [m for m in run.model.encoder.modules() if isinstance(m, nn.Linear)]
            last.weight[:10] /= codes.std(0)[:, None]
            last.bias[:10] = (last.bias[:10] - codes.mean(0)) / codes.std(0)
            last.weight[INACTIVE] = 0
        assert (run.encode(images).var(0) > ACTIVE).sum() == 9
        yield run


@pytest.fixture(scope="module")
def path(run, tmp_path_factory):
    return pages.report(run, tmp_path_factory.mktemp("factors") / "page.html")


@pytest.fixture
def page(path, visit):
    return lambda **options: visit(path, **options)


def codes_at(run, side, x, y):
    """The latents of an image, in the order of the page."""
    index = run.dataset.index([[0, side, x, y]])
    return run.encode(run.dataset.images(index))[0, measure_latents(run).order].tolist()


def numbers(page, which):
    """A column of the list of latents: 1 for the means, 2 for the changes."""
    texts = page.locator(".factor-bars li").evaluate_all(
        f"rows => rows.map(row => row.querySelectorAll('span')[{which - 1}].textContent)"
    )
    return [float(text.replace("\N{MINUS SIGN}", "-") or 0) for text in texts]


def picture(page):
    """The pixels of the image, [64, 64], each the middle of an enlarged pixel."""
    page.locator(".factor-picture").scroll_into_view_if_needed()
    box = page.locator(".factor-picture").bounding_box()
    assert (box["width"], box["height"]) == (198, 198)
    place = {"x": round(box["x"]), "y": round(box["y"]), "width": 198, "height": 198}
    shot = page.screenshot(clip=place)
    shown = np.array(Image.open(io.BytesIO(shot)))[..., 0].astype(int)
    return shown[1::3, 1::3][1:-1, 1:-1]


def test_a_moved_factor_shows_its_image_and_the_latents_of_it(run, page):
    page = page(viewport={"width": 1280, "height": 1400})
    assert numbers(page, 1) == pytest.approx(codes_at(run, 1, 2, 2), abs=0.006)
    assert page.locator(".factor-said").text_content() == "Move a factor."
    page.get_by_label("x", exact=True).fill("4")
    images = run.dataset.images(run.dataset.index([[0, 1, 4, 2]]))[0, 0].numpy()
    assert np.abs(picture(page) - images).mean() < 3
    after, before = np.array(codes_at(run, 1, 4, 2)), np.array(codes_at(run, 1, 2, 2))
    assert numbers(page, 1) == pytest.approx(after.tolist(), abs=0.006)
    assert numbers(page, 2) == pytest.approx((after - before).tolist(), abs=0.006)
    order = measure_latents(run).order
    most = order[int(np.abs(after - before).argmax())]
    said = page.locator(".factor-said").text_content()
    assert said.startswith(f"x from 2 to 4. Latents that moved most: z{most} ")


def test_bars_run_from_zero_and_mark_the_value_before(run, page):
    page = page()
    page.get_by_label("y", exact=True).fill("0")
    edge = np.abs(run.encode(run.dataset.images(np.arange(75))).numpy()).max()
    before, after = (np.array(codes_at(run, 1, 2, y)) / edge for y in (2, 0))
    bars = (
        page.locator(".factor-bars")
        .first.locator(".factor-bar")
        .evaluate_all(f"bars => bars.map({BAR})")
    )
    assert len(bars) == 9
    for bar, then, now in zip(bars, before, after, strict=False):
        length, step, mark = bar
        assert length == pytest.approx(sorted([0, now]), abs=0.02)
        assert step == pytest.approx(sorted([then, now]), abs=0.02)
        assert np.mean(mark) == pytest.approx(then, abs=0.02)


def test_keys_move_a_factor_and_the_whole_drag_is_one_move(run, page):
    page = page()
    slider = page.get_by_label("side", exact=True)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "2"
    page.keyboard.press("Home")
    assert page.locator(".factor-said").text_content().startswith("side from 2 to 0.")
    box = page.get_by_label("x", exact=True).bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    for part in (0.6, 0.75, 0.99):
        page.mouse.move(box["x"] + part * box["width"], middle)
    page.mouse.up()
    assert page.locator(".factor-said").text_content().startswith("x from 2 to 4.")
    change = np.subtract(codes_at(run, 0, 4, 2), codes_at(run, 0, 2, 2))
    assert numbers(page, 2) == pytest.approx(change.tolist(), abs=0.006)


def test_the_column_of_the_last_moved_factor_stands_out(page):
    page = page()
    assert page.locator("#factor-moves .now").count() == 0
    for name in ("side", "y"):
        page.get_by_label(name, exact=True).press("End")
        marked = page.locator("#factor-moves .now").evaluate_all("all => all.map(e => e.cellIndex)")
        assert marked == [{"side": 1, "y": 3}[name]] * 11
    assert page.locator("#factor-moves th.now").text_content() == "y"


def test_inactive_latents_are_folded(page):
    page = page()
    row = page.locator(".factor-bars li", has_text=re.compile(f"^z{INACTIVE}"))
    assert not row.is_visible()
    page.get_by_text("1 inactive latent").last.click()
    assert row.is_visible()


def test_without_scripts_the_matrix_still_shows(page):
    page = page(java_script_enabled=False)
    assert page.locator("#factor-moves table").is_visible()
    assert not page.locator(".factor-picture").is_visible()
    assert page.get_by_text("Moving the factors requires JavaScript").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_picture_and_slider_at_once(page, scheme):
    page = page(viewport={"width": 360, "height": 640}, color_scheme=scheme)
    slider = page.get_by_label("y", exact=True)
    slider.scroll_into_view_if_needed()
    slider.press("End")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    shown, box = page.locator(".factor-picture").bounding_box(), slider.bounding_box()
    assert 0 <= shown["y"] < shown["y"] + shown["height"] <= box["y"] + 1
    assert box["height"] >= 44
