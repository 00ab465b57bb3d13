"""Accessibility of every kind of page: axe-core finds nothing serious or critical."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from conftest import registered
from helpers.audits import two_scores
from helpers.browsers import MARKS
from torch import nn

from disentangle.reports import pages
from disentangle.reports.audit_page import audit_page
from disentangle.reports.html import tables_page
from disentangle.runs.collection import load_all
from disentangle.runs.named import load_run
from disentangle.score_tables.build import make_tables
from disentangle.scoring.baselines import read_baselines
from disentangle.scoring.score_runs import score

pytestmark = MARKS
RESULTS = Path(__file__).parents[2] / "results"
QUICK = RESULTS / "quick"
OPEN = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"


@pytest.fixture(scope="module")
def run(trained, strangers_folder, tmp_path_factory):
    """A run with active and inactive latents, and with scores and their matrices."""
    with registered(strangers_folder):
        run = load_run(shutil.copytree(trained.path, tmp_path_factory.mktemp("scored") / "run"))
        codes = run.encode(run.dataset.images(np.arange(75)))
        with torch.no_grad():
            *_, last = [m for m in run.model.encoder.modules() if isinstance(m, nn.Linear)]
            last.weight[:7] /= codes.std(0)[:7, None]
        score(run, ["mig"])
        yield run


@pytest.fixture(scope="module")
def page_of(run, tmp_path_factory):
    """A function that writes a page of a kind, once."""
    folder, written = tmp_path_factory.mktemp("kinds"), {}
    texts = {
        "run": lambda: pages.run_page(run),
        "study": lambda: pages.study_page(
            QUICK, QUICK, ["a problem"], pictures=sorted(QUICK.glob("figures/*.png"))
        ),
        "tables": lambda: tables_page(make_tables(load_all(QUICK)[0], read_baselines(RESULTS))),
        "audit": lambda: audit_page(two_scores()),
        "gallery": lambda: pages.gallery_page(RESULTS, RESULTS, ["a problem"]),
    }

    def write(kind):
        if kind not in written:
            written[kind] = folder / f"{kind}.html"
            written[kind].write_text(texts[kind]())
        return written[kind]

    return write


def violations(page):
    """What axe-core calls serious or critical: the rule, and the elements that break it."""
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], [(node["html"][:150], node["failureSummary"]) for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["run", "study", "tables", "audit", "gallery"])
def test_nothing_serious_is_found(page_of, visit, kind, scheme, width):
    page = visit(page_of(kind), viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.evaluate(OPEN)
    assert violations(page) == []


def test_nothing_serious_is_found_in_a_case_of_an_audit(page_of, visit):
    page = visit(page_of("audit"))
    page.locator(".verdict button").first.click()
    assert page.get_by_role("dialog").is_visible()
    assert violations(page) == []


def test_a_fault_would_be_found(page_of, visit):
    page = visit(page_of("gallery"))
    page.evaluate(
        "document.querySelector('#by-model').closest('label').replaceWith(document.querySelector('#by-model'))"
    )
    assert [rule for rule, _ in violations(page)] == ["select-name"]
