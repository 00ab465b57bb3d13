"""Objects and progress in a notebook: small, escaped, and never in the way of a result."""

import re
import sys
import types

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image

import disentangle
from disentangle import figures
from disentangle._utils import html, notebook
from disentangle.data.loading import load_dataset
from disentangle.runs.labels import write_label
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.table import Tables
from disentangle.scoring.arrays import array_source
from disentangle.scoring.measure import ScoreMapping
from disentangle.scoring.score_runs import score

EVIL = "<script>alert('1')</script> & \"2\""
LIMIT = 300_000
OUTSIDE = re.compile(r"""(src|href)=["'](?!data:image/png;base64,)|url\(|@import|<script|<link""")


def checked(thing):
    """The HTML of a thing: small, whole in itself, balanced."""
    text = thing._repr_html_()
    assert 0 < len(text) < LIMIT
    assert not OUTSIDE.search(text), text[:500]
    assert "color:" not in text.replace("background", "")
    opened = re.findall(r"<(?!img)(\w+)", text)
    assert sorted(opened) == sorted(re.findall(r"</(\w+)>", text))
    return text


def test_dataset_shows_the_range_of_real_numbers():
    v = np.stack([np.linspace(-1, 2, 300), np.arange(300) % 4], 1)
    text = checked(array_source(v, v, names=["height", "shape"]).dataset)
    assert "height (continuous, -1 to 2), shape (4)" in text


def test_run_shows_state_settings_scores_and_traversals(run):
    assert "<img" not in checked(run)
    scores = score(run, ["mig"], device="cpu")
    figures.plot_traversals(run, ["first"]).save(run.figures / "traversals.png")
    write_label(run.path, name="first-try", note=EVIL)
    text = checked(run)
    for part in ("beta-vae on tiny", "first-try", "collapsed;", "beta=2.0, batch_size=8", "mig"):
        assert part in text
    assert f">{scores['mig']:.3f}<" in text  # as the scores show it
    assert f'alt="traversals of run {run.record.id}"' in text
    assert EVIL not in text
    assert str(escape(EVIL)) in text


def test_scores_show_values_and_reasons(run):
    scores = score(run, ["mig"], device="cpu")
    text = checked(scores)
    assert f"{scores['mig']:.3f}" in text
    evil = ScoreMapping([], {"mig": EVIL})
    assert "mig: n/a: &lt;script&gt;" in checked(evil)


def test_tables_show_their_cells_and_captions(variant):
    runs = [variant(f"r{seed}", seed=seed, values=[{"value": 0.25}]) for seed in range(3)]
    (table,) = made = make_tables(runs)
    assert "0.250" in checked(table)
    assert checked(Tables([*made, *made])) == 2 * checked(table)
    table.rows[0].model = EVIL
    assert "<script" not in checked(table)


def test_tables_function_returns_what_a_notebook_shows(run):
    assert "<table>" in checked(disentangle.tables(run.path.parent))


def test_datasets_show_factors_and_images(strangers):
    text = checked(load_dataset("tiny"))
    assert "75 of 1 x 64 x 64, grid" in text
    assert "side (3), x (5), y (5)" in text
    assert "data:image/png;base64," in text
    text = checked(load_dataset("tiny").view(hold_out=["0.2"]))
    assert "hold_out" in text
    assert "factors" not in checked(load_dataset("tiny-photos"))


def test_nothing_is_raised(run, monkeypatch):
    monkeypatch.setattr("disentangle.runs.overview.overview", lambda run: 1 / 0)
    assert run._repr_html_() is None
    (run.path / "scores.json").write_text("{")
    assert run._repr_html_() is None


def test_pictures_are_made_small():
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    text = html.picture(Image.fromarray(noise), EVIL)
    assert len(text) < LIMIT
    assert "<script" not in text


def test_long_tables_are_cut():
    text = html.table([(n, n) for n in range(10_000)], ["a", "b"])
    assert "and 9,800 more rows" in text
    assert len(text) < LIMIT


class Handle:
    """What `display` returns, which keeps the texts that it is given."""

    def __init__(self):
        self.texts = []

    def display(self, content, raw, display_id):
        assert raw
        assert display_id
        self.texts.append(content["text/plain"])
        return self

    def update(self, content, raw):
        self.texts.append(content["text/plain"])


@pytest.fixture
def kernel(monkeypatch):
    """A notebook's kernel, of which only the display is there."""
    handle = Handle()
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = handle.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    return handle


def test_training_shows_one_line_that_is_updated(strangers, kernel, tmp_path):
    options = {"batch_size": 8, "figures": False, "device": "cpu", "results": tmp_path}
    disentangle.train("vae", "tiny", steps=5, **options)
    assert kernel.texts[0].startswith("step 1 of 5")
    assert kernel.texts[-1].startswith("step 5 of 5  100 %  loss ")
    assert len(kernel.texts) <= 5


def test_scoring_shows_one_line_that_is_updated(run, kernel, monkeypatch, tmp_path):
    monkeypatch.setenv("DISENTANGLE_CACHE", str(tmp_path / "cache"))  # where no codes are
    score(run, ["mig"], device="cpu")
    assert kernel.texts[0] == "0 of 75 images  0 %  encoding"
    assert kernel.texts[-1] == "encoded 75 images"


def test_baselines_show_one_line_that_names_them(strangers, kernel, tmp_path):
    options = {"only": ["oracle", "untrained"], "results": tmp_path, "device": "cpu"}
    disentangle.baselines("tiny", ["mig"], **options)
    assert kernel.texts[0] == "scoring tiny: oracle"
    assert "scoring tiny: untrained" in kernel.texts
    assert kernel.texts[-1] == "scored 2 baselines"
    shown = len(kernel.texts)
    disentangle.baselines("tiny", ["mig"], **options)  # all are there already
    assert len(kernel.texts) == shown


STUDY = """pictures = false

[[runs]]
model = "vae"
dataset = "tiny"
seeds = 2
steps = 2
batch_size = 8

[[scores]]
metrics = ["mig"]
"""


@pytest.fixture
def untimed(monkeypatch):
    """Estimates without a trial."""
    monkeypatch.setattr("disentangle.studies.estimate.time_steps", lambda run, device: 0.01)


def test_study_shows_one_line_that_is_updated(strangers, kernel, untimed, tmp_path):
    (tmp_path / "mine.toml").write_text(STUDY)
    options = {"on": "inline", "results": tmp_path / "results", "device": "cpu"}
    disentangle.sweep(tmp_path / "mine.toml", **options)
    studies = [text for text in kernel.texts if text.startswith("mine: ")]
    assert studies[0].startswith("mine: 0 of 2 done, about ")
    assert studies[0].endswith("Running: vae seed=0: starting")
    assert studies[-1] == "mine: 2 of 2 done"
    shown = len(kernel.texts)
    disentangle.sweep(tmp_path / "mine.toml", **options)  # nothing is left to run
    assert len(kernel.texts) == shown


def test_study_with_a_callback_of_ones_own_shows_no_line(strangers, kernel, untimed, tmp_path):
    (tmp_path / "mine.toml").write_text(STUDY)
    events = []
    options = {"on": "inline", "results": tmp_path / "results", "device": "cpu"}
    disentangle.sweep(tmp_path / "mine.toml", watch=events.append, **options)
    assert [event.kind for event in events] == ["started", "done"] * 2
    assert kernel.texts == []


def test_a_callback_of_ones_own_takes_its_place(strangers, kernel, tmp_path):
    steps = []
    options = {"batch_size": 8, "figures": False, "device": "cpu", "results": tmp_path}
    disentangle.train("vae", "tiny", steps=2, report=lambda n, *_: steps.append(n), **options)
    assert (steps, kernel.texts) == ([1, 2], [])


def test_outside_a_notebook_nothing_is_shown(capsys, strangers, tmp_path):
    assert not notebook.in_notebook()
    options = {"batch_size": 8, "figures": False, "device": "cpu", "results": tmp_path}
    disentangle.train("vae", "tiny", steps=1, **options)
    assert capsys.readouterr() == ("", "")


def test_all_requests_are_in_the_last_line(kernel):
    with notebook.encoding_line(None) as progress:
        for _ in range(2):
            progress(0, 8)
            progress(8, 8)
    assert kernel.texts[-1] == "encoded 16 images"
