"""Pages in a real browser: sliders, base images, tables and plots work without the network."""

from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from helpers.audits import BAD_ONE, two_scores
from helpers.browsers import MARKS
from playwright import sync_api as playwright

from disentangle.reports import pages
from disentangle.reports.audit_page import audit_page

pytestmark = MARKS
VALUE = "row => row.querySelector('output').textContent"
PLACE = "row => getComputedStyle(row.querySelector('.picture')).backgroundPosition"
SHEET = "row => getComputedStyle(row.querySelector('.picture')).backgroundImage"


@pytest.fixture
def run_page(run, visit, monkeypatch):
    """The page of a run whose latents are all active and make images lighter or darker."""
    monkeypatch.setattr("disentangle.figures.latents.ACTIVE", -1.0)
    shape = run.record.dataset.image_shape
    monkeypatch.setattr(
        run, "decode", lambda z: z.sum(1).sigmoid().view(-1, 1, 1, 1).repeat(1, *shape)
    )
    return lambda **options: visit(pages.report(run), **options)


@pytest.fixture
def study_page(variant, tmp_path, visit):
    """The page of four configurations: one has no score, another has several seeds."""
    for name, beta, seed, value in (
        ("a", 2.0, 0, 0.5),
        ("b", 16.0, 0, 0.25),
        ("c", 128.0, 0, 1.0),
        ("d", 128.0, 1, 0.0),
        ("e", 4.0, 0, None),
    ):
        reason = None if value is not None else "why not"
        scores = [{"value": value, "reason": reason}]
        variant(name, seed=seed, values=scores, knobs={"beta": beta})
    path = pages.report(tmp_path / "variants")
    return lambda **options: visit(path, **options)


def betas(page):
    rows = page.locator("#table-0 tbody tr:visible td:nth-child(2)").all_text_contents()
    return [float(text.split(",")[0].removeprefix("beta=")) for text in rows]


def test_slider_moves_its_own_picture_and_says_its_value(run_page):
    page = run_page()
    first, second = page.locator(".latent").nth(0), page.locator(".latent").nth(1)
    page.locator("#rest").click()
    before, other = first.evaluate(PLACE), second.evaluate(PLACE)
    shot = first.locator(".picture").screenshot()
    first.locator("input").fill("20")
    assert first.evaluate(PLACE).startswith("100%")
    assert first.evaluate(PLACE) != before
    assert first.locator(".picture").screenshot() != shot
    assert first.evaluate(VALUE) == "3.00"
    assert second.evaluate(PLACE) == other


def test_slider_works_by_keyboard_with_focus_in_sight(run_page):
    page = run_page()
    slider = page.locator(".latent input").first
    slider.fill("10")
    page.locator("#rest").focus()
    page.keyboard.press("Tab")
    if not slider.evaluate("e => e === document.activeElement"):
        page.keyboard.press("Tab")
    assert slider.evaluate("e => e === document.activeElement")
    assert slider.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.30"
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "\N{MINUS SIGN}3.00"


def test_slider_stands_under_the_picture_that_it_chose(run_page):
    page = run_page(viewport={"width": 1100, "height": 800})
    row = page.locator(".latent").first
    for place in (0, 7, 20):
        row.locator("input").fill(str(place))
        now, slider = row.locator(".now").bounding_box(), row.locator("input").bounding_box()
        thumb = slider["x"] + 9 + place / 20 * (slider["width"] - 18)
        assert abs(now["x"] + now["width"] / 2 - thumb) < 1.5


def test_another_base_has_other_pictures_and_keeps_what_was_moved(run_page):
    page = run_page()
    first, second = page.locator(".latent").nth(0), page.locator(".latent").nth(1)
    first.locator("input").fill("3")
    before = first.evaluate(SHEET)
    page.locator("#base-0").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#base-2").is_checked()
    assert first.evaluate(SHEET) != before
    assert first.evaluate(VALUE) == "\N{MINUS SIGN}2.10"
    own = page.evaluate("JSON.parse(document.getElementById('latents').textContent).own")
    assert second.locator("input").input_value() == str(own[2][1])
    page.locator("#rest").click()
    assert first.locator("input").input_value() == str(own[2][0])


def test_play_moves_every_latent_until_it_is_stopped(run_page):
    page = run_page()
    row = page.locator(".latent").last
    before = row.evaluate(VALUE)
    page.locator("#play").click()
    playwright.expect(row.locator("output")).not_to_have_text(before)
    page.locator("#play").click()
    stopped = row.evaluate(VALUE)
    page.wait_for_timeout(250)
    assert row.evaluate(VALUE) == stopped
    assert page.locator("#play").text_content() == "Play"


def test_without_scripts_the_strips_and_bases_still_show(run_page):
    page = run_page(java_script_enabled=False)
    strip = page.locator(".strip").first
    assert strip.is_visible()
    assert not page.locator(".latent input").first.is_visible()
    assert not page.locator("#play").is_visible()
    before = strip.screenshot()
    page.locator("#base-2 + img").click()
    assert strip.screenshot() != before


def test_table_sorts_by_numbers_and_puts_what_is_missing_last(study_page):
    page = study_page()
    head = page.locator("#table-0 th", has_text="mig")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert betas(page)[-1] == 4.0
    assert betas(page)[2] == 16.0
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert betas(page)[0] == 16.0
    assert betas(page)[-1] == 4.0


def test_table_sorts_words_with_numbers_in_them(study_page):
    page = study_page()
    page.locator("#table-0 th", has_text="settings").locator("button").press("Space")
    assert betas(page) == [2.0, 4.0, 16.0, 128.0]


def test_table_filters_by_words_and_says_how_many_are_left(study_page):
    page = study_page()
    page.locator("#filter-table-0").fill("BETA-VAE beta=16")
    assert betas(page) == [16.0]
    assert page.locator(".filter [role=status]").first.text_content() == "1 of 4 rows"
    page.locator("#filter-table-0").fill("")
    assert len(betas(page)) == 4


def test_plot_has_a_dot_for_each_run_and_follows_the_choice(study_page):
    page = study_page()
    assert page.locator(".scatter .point").count() == 4
    assert "beta (log scale)" in page.locator(".scatter").text_content()
    page.locator("select[name=knob]").select_option("seed")
    assert "beta (log" not in page.locator(".scatter").text_content()
    places = page.locator(".scatter .point").evaluate_all("all => all.map(e => e.getCTM().f)")
    assert places[1] - places[0] == pytest.approx((places[0] - places[2]) / 2, abs=0.01)
    assert page.locator(".scatter text.middle").all_text_contents() == ["0", "1", "seed"]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_window(run_page, study_page, width, scheme):
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for page in (run_page(**options), study_page(**options)):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_numbers_of_a_matrix_stand_out_from_their_shades(run_page):
    """Contrast of 4.5 or more, whatever the shade and the scheme."""
    measure = """dark => {
      const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
      const light = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data]
          .map((v) => v / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const table = document.createElement("table");
      table.className = "heat";
      table.innerHTML = "<tbody><tr><td>0.00</td></tr></tbody>";
      document.body.append(table);
      const cell = table.querySelector("td");
      return Array.from({ length: 1001 }, (_, i) => i / 1000).map((shade) => {
        cell.style.setProperty("--v", shade);
        cell.className = shade > dark ? "dark" : "";
        const style = getComputedStyle(cell);
        const both = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
        return (both[0] + 0.05) / (both[1] + 0.05);
      });
    }"""
    from disentangle.reports.scores_section import DARK

    for scheme in ("light", "dark"):
        assert min(run_page(color_scheme=scheme).evaluate(measure, DARK)) >= 4.5


def test_labels_of_baselines_keep_apart_on_the_published_page(visit):
    page = visit(Path(__file__).parents[2] / "results" / "quick" / "report.html")
    labels = page.locator("text.beside")
    tops = [float(labels.nth(i).get_attribute("y")) for i in range(labels.count())]
    assert len(tops) == 7
    assert all(b - a >= 12 for a, b in pairwise(tops))


@pytest.mark.parametrize("width", [1200, 390])
def test_a_cell_of_an_audit_opens_its_case(tmp_path, visit, width):
    path = tmp_path / "page.html"
    path.write_text(audit_page(two_scores()))
    page = visit(path, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("button", name=f"{BAD_ONE}, few rows, noise: fails").click()
    dialog = page.get_by_role("dialog")
    text = dialog.inner_text()
    for part in ("Ten latents of noise.", "stays within 0.1", "seed 1", "0.8010", "10,000"):
        assert part in text
    assert dialog.locator("circle").count() == 2 * 4
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert "#" not in page.url


def test_an_address_names_a_cell_of_an_audit(tmp_path, visit):
    path = tmp_path / "page.html"
    path.write_text(audit_page(two_scores()))
    page = visit(path)
    page.goto(f"{path.resolve().as_uri()}#{quote(BAD_ONE, safe='')}/noise")
    assert "expected at most 0.1, got 0.300" in page.get_by_role("dialog").inner_text()
