"""Make the pictures of docs/gallery.md: `python -m tools.gallery RUN [NAME ...]`.

RUN is the folder of the run that the page names; NAME is a picture, and all are made by default.
Pages are photographed by Playwright, which needs a Chromium: its own, or that of the system.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "gallery"
COLUMNS = ("beta-vae-score", "factor-vae-score", "mig", "sap", "modularity")
WIDTH = {"dsprites": 1000, "chairs-parametric": 1000, "table": 1000, "report": 1000}
"""Pixels of a picture's width, where it is not that of a figure."""
FIGURE = 640


def commands(run: str) -> dict[str, list[str]]:
    """The commands that draw a picture each, by the picture's name."""
    results = ["--results", str(ROOT / "results")]
    sweep = ["--study", "beta-sweep", "--where", "dataset=dsprites", *results]
    figures = {
        "traversals": ["traversals", run, "--base", "random"],
        "reconstructions": ["reconstructions", run, "--count", "8"],
        "matrices": ["matrices", run, "--detail", "dci-lgbm/importance"],
        "effect": ["effect", "--score", "dci/disentanglement", "--of", "beta", *sweep],
        "rate-distortion": ["rate-distortion", *sweep],
        "agreement": ["agreement", "--study", "quick", *results],
    }
    return {
        "dsprites": ["data", "sheet", "dsprites"],
        "chairs-parametric": ["data", "sheet", "chairs-parametric"],
        **{name: ["figure", *words, "--no-caption"] for name, words in figures.items()},
    }


def pages_of(run: str) -> dict[str, list[str]]:
    """The commands that write a page each, by the picture's name."""
    quick = ["--study", "quick", "--results", str(ROOT / "results")]
    columns = [word for name in COLUMNS for word in ("--columns", name)]
    return {
        "table": ["table", "--baselines", *columns, *quick],
        "report": ["report", run],
    }


def disentangle(*words: str) -> None:
    """Run a command."""
    subprocess.run([Path(sys.executable).parent / "disentangle", *words], check=True)


def photograph(page: Path, picture: Path) -> None:
    """Save the top of an HTML page as a picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        shown = browser.new_page(viewport={"width": 1320, "height": 900})
        shown.goto(page.resolve().as_uri())
        shown.wait_for_timeout(1000)
        shown.screenshot(path=picture)
        browser.close()


def shrink(picture: Path) -> None:
    """Reduce a picture to its width on the page and a palette."""
    image = Image.open(picture).convert("RGB")
    image.thumbnail((WIDTH.get(picture.stem, FIGURE), 4000))
    image.quantize(64, Image.Quantize.MAXCOVERAGE).save(picture, optimize=True)


def main(run: str, *names: str) -> None:
    """Draw all pictures, or those named."""
    PICTURES.mkdir(exist_ok=True)
    drawn, pages = commands(run), pages_of(run)
    for name in names or [*drawn, *pages]:
        picture = PICTURES / f"{name}.png"
        if name in drawn:
            disentangle(*drawn[name], "--output", str(picture))
        else:
            with tempfile.TemporaryDirectory() as folder:
                page = Path(folder, "page.html")
                disentangle(*pages[name], "--output", str(page))
                photograph(page, picture)
        shrink(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
