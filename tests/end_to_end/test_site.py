"""The documentation's site: it builds without a warning, hangs together, and stays home."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from helpers.doc_blocks import ROOT

from disentangle.contracts import registry

pytest.importorskip("zensical")
pytestmark = pytest.mark.slow
LOADS = {"img": "src", "script": "src", "iframe": "src", "source": "src", "video": "src"}
SHOWN = ("stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest")


class Page(HTMLParser):
    """What a page has, and what it asks for."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        self.ids |= {said[key] for key in ("id", "name") if said.get(key)}
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])
        if tag == "link" and set((said.get("rel") or "").split()) & set(SHOWN):
            self.loaded.append(said["href"])
        if said.get(LOADS.get(tag)):
            self.loaded.append(said[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from a copy of what it is made of."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "tools", "disentangle", "plugins"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copytree(ROOT / "results" / "audit", folder / "results" / "audit")
    shutil.copy(ROOT / "zensical.toml", folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site):
    return {file: Page(file.read_text()) for file in site.glob("*.html") if file.stem != "404"}


def test_every_page_is_built(site, pages):
    written = {file.stem for kind in ("*.md", "*.html") for file in (ROOT / "docs").glob(kind)}
    assert {file.stem for file in pages} == written


def test_links_within_the_site_lead_somewhere(pages):
    dead = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            there = target.is_file()
            if there and parts.fragment and target in pages:
                there = unquote(parts.fragment) in pages[target].ids
            dead += [] if there else [f"{file.name}: {link}"]
    assert not dead


def test_nothing_is_loaded_from_another_host(site, pages):
    for file, page in pages.items():
        for link in page.loaded:
            assert not urlsplit(link).netloc, f"{file.name}: {link}"
            if not link.startswith("data:"):
                assert (file.parent / urlsplit(link).path).is_file(), f"{file.name}: {link}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text()), style


def test_every_definition_has_its_knobs(pages):
    (metrics,) = [file for file in pages if file.stem == "metrics"]
    text = metrics.read_text()
    built_in = [
        name
        for name in registry.metrics.entries
        if registry.metrics.entry(name).distribution == "disentangle-bench"
    ]
    assert text.count('<span class="doc-section-title">Knobs</span>') == len(built_in)
    bins = r"equal-width bins for each latent \(default <code[^>]*>20</code>; at least 2\)"
    assert re.search(bins, text)


def test_search_knows_the_pages(site):
    index = Path(site / "search.json").read_text()
    assert "mutual information gap" in index


def test_formulas_are_typeset(site):
    for page in ("metrics", "models"):
        text = (site / f"{page}.html").read_text()
        assert "<math" in text
        assert not re.search(r"(sum|mean)_[ikd]\b", text)
