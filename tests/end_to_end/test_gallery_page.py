"""The published gallery: up to date, and in a real browser its cards are chosen and sorted."""

import re
from pathlib import Path

import pytest
from helpers.browsers import in_browser
from helpers.published import RUNS, STUDIES

from disentangle.reports import pages
from disentangle.runs.collection import load_all

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
PAGE = RESULTS / "index.html"


def lasting(text):
    """A page without what depends on the day and on the encoder of its pictures."""
    text = re.sub(r"<footer>.*?</footer>", "", text)
    text = re.sub(r'<p><a href="report\.html">.*?</p>\n', "", text)  # a page of your own
    return re.sub(r"data:image/webp;base64,[\w+/=]+", "data:", text)


def test_the_published_gallery_is_up_to_date_and_small():
    runs = [run for study in STUDIES for run in load_all(RESULTS / study)[0]]
    made = pages.gallery_page(RESULTS, RESULTS, only=runs)
    remedy = "run `disentangle report results --gallery`"
    assert lasting(made) == lasting(PAGE.read_text()), remedy
    assert PAGE.stat().st_size < 1_500_000
    shown = [run for run in runs if run.figures.exists() or run.checkpoint_path.exists()]
    assert made.count("data:image/webp") == len(shown) == 20


@pytest.fixture
def page(visit):
    return lambda **options: visit(PAGE, **options)


def values_of(page, score):
    """The values of a score on the visible cards of each section, in their order."""
    return page.locator(".shelf:visible").evaluate_all(
        """(shelves, score) => shelves.map(shelf => [...shelf.querySelectorAll(".card")]
          .filter(card => !card.hidden)
          .flatMap(card => [...card.querySelectorAll("dt")])
          .filter(term => term.textContent === score)
          .map(term => Number(term.nextElementSibling.textContent)))""",
        score,
    )


def texts(page, selector):
    return page.locator(f".card:visible {selector}").all_text_contents()


@in_browser
def test_cards_are_chosen_by_model_dataset_and_study(page):
    page = page()
    assert page.locator("#choices [role=status]").text_content() == f"{RUNS} runs"
    page.get_by_label("Model").select_option("factor-vae")
    assert set(texts(page, "h3")) == {"factor-vae"}
    assert page.locator("#choices [role=status]").text_content() == f"8 of {RUNS} runs"
    assert page.locator(".shelf:visible h2").count() == 2
    page.get_by_label("Study").select_option("quick")
    assert all(text.startswith("quick, ") for text in texts(page, "p:last-child"))
    assert page.locator(".card:visible").count() == 3
    page.get_by_label("Dataset").select_option("chairs-parametric")
    assert page.locator(".card:visible, .shelf:visible").count() == 0
    assert page.locator("#choices [role=status]").text_content() == f"0 of {RUNS} runs"
    for label in ("Model", "Study"):
        page.get_by_label(label).select_option("")
    assert page.locator(".card:visible").count() == 54


@in_browser
def test_the_best_by_a_score_come_first_and_runs_without_it_last(page):
    page = page()
    page.get_by_label("Sort by").select_option("mig")
    for values in values_of(page, "mig"):
        assert len(values) > 5
        assert values == sorted(values, reverse=True)
    page.get_by_label("Sort by").select_option("sap-r2")  # no card shows it unless it is chosen
    values = values_of(page, "sap-r2")
    assert sorted(map(len, values)) == [0] * 6 + [9, 40]  # chairs and dSprites, of each part
    assert all(section == sorted(section, reverse=True) for section in values)
    page.get_by_label("Sort by").select_option("")
    assert values_of(page, "sap-r2") == [[]] * 8


@in_browser
def test_the_heading_of_a_study_opens_its_page(page):
    page = page()
    page.get_by_role("link", name="quick").click()
    assert page.url.endswith("/results/quick/report.html")
    assert page.locator("h1").text_content() == "quick"


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_one_card_beside_another_below(page, scheme):
    page = page(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    boxes = [page.locator(".card").nth(i).bounding_box() for i in (0, 1)]
    assert boxes[0]["x"] == boxes[1]["x"]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]


@in_browser
def test_without_scripts_all_cards_are_there(page):
    page = page(java_script_enabled=False)
    assert page.locator(".card:visible").count() == RUNS
    assert not page.get_by_label("Sort by").is_visible()
