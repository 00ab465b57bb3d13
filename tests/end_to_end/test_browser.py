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


@pytest.fixture
def wide_page(variant, tmp_path, visit):
    """The page of three configurations, one with two seeds, scored by four metrics."""
    names = ["dci/completeness", "dci/disentanglement", "elbo/active-units", "mig", "sap"]
    for name, beta, seed, scale in (
        ("a", 2.0, 0, 0.1),
        ("b", 2.0, 1, 0.2),
        ("c", 8.0, 0, 0.15),
        ("d", 32.0, 0, 0.05),
    ):
        scores = [
            {
                "name": score,
                "metric": score.partition("/")[0],
                "value": 40 * scale if score == "elbo/active-units" else scale * (i + 1),
            }
            for i, score in enumerate(names)
        ]
        run = variant(name, seed=seed, values=scores, knobs={"beta": beta})
        (run.path / "report.html").write_text(f"<!doctype html><title>page of {name}</title>")
    path = pages.report(tmp_path / "variants")
    return lambda **options: visit(path, **options)


def heads(page):
    return [text.strip() for text in page.locator("#table-0 thead th:visible").all_inner_texts()]


def test_menu_hides_and_shows_the_columns_of_a_metric(wide_page):
    page = wide_page()
    assert {"dci", "completeness", "disentanglement", "mig"} < set(heads(page))
    page.locator("details.columns summary").press("Enter")
    page.get_by_label("dci (2)").press("Space")
    assert not {"dci", "completeness", "disentanglement"} & set(heads(page))
    cells = page.locator("#table-0 tbody tr").first.locator("td:visible").all_inner_texts()
    assert len(cells) == len(heads(page)) - 1
    assert "0.150" not in " ".join(cells)
    assert page.locator("details.columns [role=status]").inner_text() == "2 hidden"
    page.locator("#table-0 th", has_text="mig").locator("button").click()
    assert betas(page)[-1] == 32.0
    page.get_by_role("button", name="Hide all").click()
    assert heads(page) == ["model"]
    page.get_by_role("button", name="Show all").click()
    assert {"dci", "completeness", "settings"} < set(heads(page))
    assert page.locator("details.columns [role=status]").inner_text() == ""


def test_first_column_stays_in_sight_while_the_table_scrolls(wide_page):
    page = wide_page(viewport={"width": 360, "height": 800})
    cell = page.locator("#table-0 tbody th").first
    before = cell.bounding_box()["x"]
    moved = page.locator(".wide").first.evaluate("e => (e.scrollLeft = 200, e.scrollLeft)")
    assert moved == 200
    assert cell.bounding_box()["x"] == before
    below = page.locator("#table-0 thead tr:nth-child(2) th").first
    assert below.evaluate("e => getComputedStyle(e).position") == "static"


def test_two_rows_are_compared(wide_page):
    page = wide_page()
    panel = page.locator(".compare")
    row = page.get_by_label("Compare beta-vae beta=2.0")
    row.press("Space")
    assert "Check another row to compare it with beta-vae beta=2.0." in panel.inner_text()
    page.get_by_label("Compare beta-vae beta=8.0").press("Space")
    lines = {
        line.locator("th").inner_text(): line.locator("td.number").all_inner_texts()
        for line in panel.locator("tbody tr").all()
    }
    assert lines["mig"] == ["0.600", "0.600", "0.000"]
    assert lines["elbo/active-units"] == ["6", "6", "0"]
    seeds = panel.locator("tbody tr").first.locator("svg")
    label = "beta-vae beta=2.0: 0.1, 0.2; beta-vae beta=8.0: 0.15"
    assert seeds.get_attribute("aria-label") == label
    places = seeds.locator(".point").evaluate_all("all => all.map(e => e.getCTM().e)")
    assert places[2] == pytest.approx((places[0] + places[1]) / 2, abs=0.01)
    page.get_by_label("Compare beta-vae beta=32.0").check()
    assert not row.is_checked()
    assert panel.locator("tbody tr").first.locator("td.number").all_inner_texts() == [
        "0.150",
        "0.050",
        "\N{MINUS SIGN}0.100",
    ]
    page.locator("details.columns summary").click()
    page.get_by_label("dci (2)").uncheck()
    assert panel.locator("tbody th").first.inner_text() == "elbo/active-units"
    panel.get_by_role("link", name="beta=32.0, seed 0").click()
    assert page.title() == "page of d"


def test_compared_rows_can_be_cleared(wide_page):
    page = wide_page()
    for beta in ("2.0", "8.0"):
        page.get_by_label(f"Compare beta-vae beta={beta}").check()
    page.locator(".compare").get_by_role("button", name="Clear").click()
    assert page.locator("#table-0 input:checked").count() == 0
    assert page.locator(".compare table").count() == 0


def test_plot_has_a_dot_for_each_run_and_follows_the_choice(study_page):
    page = study_page()
    assert page.locator(".scatter .point").count() == 4
    assert "beta (log scale)" in page.locator(".scatter").text_content()
    page.locator("select[name=x]").select_option("knob:seed")
    assert "beta (log" not in page.locator(".scatter").text_content()
    places = page.locator(".scatter .point").evaluate_all("all => all.map(e => e.getCTM().f)")
    assert places[1] - places[0] == pytest.approx((places[0] - places[2]) / 2, abs=0.01)
    assert page.locator(".scatter text.middle").all_text_contents() == ["0", "1", "seed"]


def test_plot_of_two_scores_and_of_a_setting_upwards(wide_page):
    page = wide_page()
    page.locator("select[name=y]").select_option("score:mig")
    page.locator("select[name=x]").select_option("score:dci/completeness")
    marks = page.locator(".scatter .point")
    where = "all => all.map(e => [e.getCTM().e, e.getCTM().f])"
    (xa, ya), (xb, yb), (xc, yc), (xd, yd) = marks.evaluate_all(where)
    assert xd < xa < xc < xb
    assert (xc - xa) / (xb - xa) == pytest.approx(0.5, abs=0.01)
    assert (ya - yc) / (ya - yb) == pytest.approx(0.5, abs=0.01)
    page.locator("select[name=y]").select_option("knob:beta")
    assert "beta (log scale)" in page.locator(".scatter .title").text_content()
    (_, ya), (_, yb), (_, yc), (_, yd) = marks.evaluate_all(where)
    assert ya == yb
    assert ya - yc == pytest.approx(yc - yd, abs=0.01)
    label = page.locator(".scatter a").nth(3).get_attribute("aria-label")
    assert label.endswith("seed 0, beta 32, dci/completeness 0.05000")


def test_dot_opens_its_run_by_click_and_by_keyboard(wide_page):
    page = wide_page()
    page.locator(".scatter a").nth(1).click()
    assert page.title() == "page of b"
    page.go_back()
    page.locator(".scatter a").nth(2).press("Enter")
    page.wait_for_function("document.title === 'page of c'")


def test_without_scripts_the_tables_are_whole_and_have_no_controls(wide_page):
    page = wide_page(java_script_enabled=False)
    assert {"dci", "completeness", "mig", "sap"} < set(heads(page))
    assert page.locator("#table-0 tbody td:visible").count() == 3 * 9
    for name in ("details.columns", ".compare", ".choices", "input"):
        assert page.locator(f"{name}:visible").count() == 0


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_window(run_page, wide_page, width, scheme):
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    compared = wide_page(**options)
    for box in compared.locator("#table-0 tbody input").all()[:2]:
        box.check()
    compared.locator("details.columns summary").click()
    for page in (run_page(**options), compared):
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


def test_baselines_of_the_plot_are_lines_or_crosses_or_hidden(visit):
    page = visit(Path(__file__).parents[2] / "results" / "quick" / "report.html")
    caption = page.locator(".plot figcaption")
    assert "Dotted lines: baselines." in caption.inner_text()
    page.locator("select[name=x]").select_option("score:mig")
    assert page.locator(".scatter .cross").count() == 6  # pixels have no MIG
    assert "Crosses: baselines." in caption.inner_text()
    points = "all => all.map(e => e.getCTM().e)"
    before = page.locator(".scatter .point").evaluate_all(points)
    page.get_by_label("baselines").uncheck()
    after = page.locator(".scatter .point").evaluate_all(points)
    assert page.locator(".scatter .cross").count() == 0
    assert "baselines" not in caption.inner_text()
    assert max(after) - min(after) > 3 * (max(before) - min(before))


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
    page.wait_for_url(lambda url: "#" not in url)


def test_an_address_names_a_cell_of_an_audit(tmp_path, visit):
    path = tmp_path / "page.html"
    path.write_text(audit_page(two_scores()))
    page = visit(path)
    page.goto(f"{path.resolve().as_uri()}#{quote(BAD_ONE, safe='')}/noise")
    assert "expected at most 0.1, got 0.300" in page.get_by_role("dialog").inner_text()
