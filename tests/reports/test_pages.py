"""Pages: self-contained, true to the run, and safe against hostile names."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from helpers.figure_checks import opened
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import disentangle
from disentangle.errors import DisentangleError
from disentangle.figures.bases import Base, default_bases, find_bases
from disentangle.figures.latents import measure_latents
from disentangle.figures.traversals import traverse
from disentangle.reports import pages, run_page
from disentangle.reports.html import json_text
from disentangle.reports.run_page import VALUES
from disentangle.runs.score_records import DetailRecord, ScoreFile
from disentangle.runs.scores import read_scores
from disentangle.runs.train_command import train_command
from disentangle.score_tables.build import make_tables as tables
from disentangle.score_tables.cells import number
from disentangle.training.train import train

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """A page's elements with their attributes, its words, and what its scripts hold."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.scripts, self.styles = [], [], [], []
        self.inside = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        place = {"script": self.scripts, "style": self.styles}.get(self.inside, self.words)
        place.append(data)

    def all(self, tag, **wanted):
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(k) == v for k, v in wanted.items())
        ]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def page(run):
    return Page(pages.run_page(run))


@pytest.fixture
def give_scores(run, template):
    """A function that replaces a run's scores by copies of its MIG, one for each change."""

    def give(*changes):
        scores = tuple(template.model_copy(update=change) for change in changes)
        (run.path / "scores.json").write_text(ScoreFile(scores=scores).model_dump_json())

    return give


def test_command_writes_the_page_into_the_run_and_prints_its_path(run, command):
    code, out, _ = command("report", run.path)
    assert (code, out) == (0, f"{run.path / 'report.html'}\n")
    text = (run.path / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    assert "beta-vae on tiny" in Page(text).text


def test_output_names_the_file(run, tmp_path, command):
    assert command("report", run.path, "--output", "mine.html")[0] == 0
    assert (tmp_path / "mine.html").exists()
    assert not (run.path / "report.html").exists()


def test_report_is_there_in_python(run):
    assert disentangle.report(run) == run.path / "report.html"


def test_nothing_is_loaded_from_elsewhere(page):
    loads = [
        (tag, found[name])
        for tag, found in page.elements
        for name in ("src", "href", "srcset", "poster", "data", "action", "xlink:href")
        if name in found
    ]
    assert {tag for tag, _ in loads} == {"link", "img"}
    assert all(where.startswith("data:") for _, where in loads)
    style = "".join(page.styles) + "".join(e.get("style") or "" for _, e in page.elements)
    assert all(
        url.startswith("data:image/webp;base64,") for url in re.findall(r"url\(([^)]*)", style)
    )
    assert "@import" not in style
    assert not re.search(r"fetch|XMLHttpRequest|import\s*\(|sendBeacon", "".join(page.scripts))


def test_policy_forbids_the_network_and_comes_before_all_it_governs(page):
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    for rule in ("default-src 'none'", "img-src data:", "script-src 'unsafe-inline'"):
        assert rule in policy["content"]
    assert [tag for tag, _ in page.elements][:4] == ["html", "head", "meta", "meta"]


def test_each_latent_has_a_labelled_slider_active_ones_first(run, page):
    latents = measure_latents(run)
    sliders = page.all("input", type="range")
    assert [s["aria-label"].split(",")[0] for s in sliders] == [f"z{d}" for d in latents.order]
    assert {(s["min"], s["max"]) for s in sliders} == {("0", str(VALUES - 1))}
    assert f"{latents.active.count(False)} inactive latent" in page.text


def test_sliders_have_the_models_values_and_start_at_the_bases_own(run, page):
    told = json.loads(page.scripts[0])
    order = measure_latents(run).order
    bases = find_bases(run, default_bases(run))
    values = [run.model.traversal(d, VALUES) for d in order]
    assert [[float(v.replace("\N{MINUS SIGN}", "-")) for v in row] for row in told["values"]] == [
        pytest.approx(v.tolist(), abs=0.006) for v in values
    ]
    for base, own in zip(bases, told["own"], strict=True):
        for d, row, place in zip(order, values, own, strict=True):
            assert abs(row[place] - base.z[d]) == pytest.approx(
                float((row - base.z[d]).abs().min())
            )
    started = [int(s["value"]) for s in page.all("input", type="range")]
    assert started == told["own"][0]


def test_sheets_hold_the_traversals_of_each_base(run, page):
    rules = re.findall(r"(\S*) ?\.sprite \{ background-image: url\((.*?)\)", page.styles[1])
    assert [rule[0] for rule in rules] == [
        "",
        *(f"#traversals:has(#base-{i}:checked)" for i in (1, 2, 3)),
    ]
    order = measure_latents(run).order
    height, width = (n + 2 for n in run.record.dataset.image_shape[1:])
    for (_, uri), base in zip(rules, find_bases(run, default_bases(run)), strict=True):
        sheet = opened(uri)
        assert sheet.shape[:2] == (10 * height, VALUES * width)
        block = traverse(run, base, order, VALUES)
        cells = sheet.reshape(10, height, VALUES, width, 4)[:, 1:-1, :, 1:-1, 0]
        wanted = (block[:, :, 0] * 255).round().numpy().transpose(0, 2, 1, 3)
        assert np.abs(cells - wanted).mean() < 6


def test_base_that_is_an_image_is_shown_with_its_reconstruction(page):
    assert [img["alt"] for img in page.all("img")] == ["image and reconstruction"] * 2 + [
        "decoded sample"
    ] * 2
    assert [opened(img["src"]).shape[1] for img in page.all("img")] == [132, 132, 66, 66]


def test_bases_may_be_chosen(run, command):
    assert command("report", run.path, "--base", "7")[0] == 0
    page = Page((run.path / "report.html").read_text())
    assert len(page.all("input", type="radio")) == 1
    assert "image 7" in page.text


def test_page_of_ten_latents_and_four_bases_is_under_three_megabytes(run):
    assert run.model.latents == 10
    assert len(pages.run_page(run)) < 3_000_000
    assert len(pages.run_page(run, network_limit=0)) < 1_000_000


def test_model_without_a_posterior_has_a_page_without_a_prior(strangers, tmp_path):
    options = {"steps": 2, "batch_size": 8, "device": "cpu", "results": tmp_path, "figures": False}
    page = Page(pages.run_page(train("plain-code", "tiny", **options)))
    assert len(page.all("input", type="radio")) == 2
    assert "by the variance of their means" in page.text
    assert "KL of each latent" not in page.text


def test_configuration_says_where_each_value_came_from(page):
    text = page.text
    assert "beta 2.0 4.0 given" in text
    assert "network conv conv default" in text
    assert "beta_norm" in text
    assert text.index("beta 2.0 4.0 given") < text.index("network conv conv default")


def test_scores_taken_differently_never_share_a_table(give_scores, run):
    give_scores(
        {"value": 0.125},
        {"value": 0.25, "representation": "sample"},
        {"value": 0.375, "protocol": "disjoint"},
        {"value": 0.5, "version": 9},
        {"value": None, "reason": "no labels are there"},
    )
    page = Page(pages.run_page(run))
    assert len(page.all("table", **{"class": "scores"})) == 3
    text = page.text
    assert "Protocol disjoint, mean representation" in text
    assert "Protocol locatello2019, sample representation" in text
    assert re.search(r"mig 0.500 \S* ?0.500 on a scale from 0 to 1 version 9, ", text)
    assert "mig n/a no labels are there" in text


def test_scores_of_other_weights_are_left_out(give_scores, run):
    give_scores({"value": 0.125, "weights": "others"})
    assert "No scores yet. Run disentangle score RUN first." in Page(pages.run_page(run)).text


def test_baselines_of_the_same_meaning_stand_beside_a_score(give_scores, run):
    give_scores({"value": 0.5}, {"value": 0.25, "knobs": {"bins": 40}})
    folder = run.path.parent / "baselines" / "tiny-0"
    folder.mkdir(parents=True)
    noise = read_scores(run)[0].model_copy(update={"value": 0.0625})
    (folder / "noise.json").write_text(ScoreFile(scores=(noise,)).model_dump_json())
    page = Page(pages.run_page(run))
    scores = r"mig 0\.\d+ 0\.\d+ on a scale from 0 to 1(, noise 0\.062 0\.062)?"
    (plain, other) = re.findall(scores, page.text)
    assert (plain, other) == (", noise 0.062 0.062", "")


def test_matrix_has_a_row_a_latent_in_the_order_of_the_sliders(give_scores, run):
    order = measure_latents(run).order
    values = [[d / 10, None] for d in range(10)]
    detail = {"mig/information": DetailRecord(axes=("latent", "factor"), values=values)}
    give_scores({"value": 0.5, "detail": detail, "factors": ("one", "two")})
    text = Page(pages.run_page(run)).text
    assert "mig/information one two " + " ".join(f"z{d} 0.{d}0 n/a" for d in order) in text


def test_matrix_of_counts_has_no_decimals_and_says_what_it_counts(give_scores, run):
    values = [[float(100 * d)] for d in range(10)]
    detail = {"votes": DetailRecord(axes=("latent", "factor"), values=values, about="number of x")}
    give_scores({"value": 0.5, "detail": detail, "factors": ("one",)})
    text = Page(pages.run_page(run)).text
    assert "z9 900 " in text
    assert "Number of x. Protocol locatello2019" in text


def test_unfinished_run_is_shown_and_said_to_be_unfinished(run, command):
    run.save_record(finished=None, weights=None)
    assert command("report", run.path)[0] == 0
    text = Page((run.path / "report.html").read_text()).text
    assert "UNFINISHED: checkpoint of step 5 of 5." in text


def test_run_without_a_checkpoint_is_refused(run, command):
    run.checkpoint_path.unlink()
    code, _, err = command("report", run.path)
    assert code == 1
    assert "no checkpoint found. Restore it, or" in err
    assert not (run.path / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: not a run"),
        (["run", "--output", "page.txt"], "ends with .html"),
        (["run", "--output", "not/there.html"], "not: no such folder"),
        (["run", "--runs"], "--runs requires a folder"),
        ([".", "--base", "first"], "--base requires a single run"),
        (["run", "--base", "last"], "--base last"),
    ],
    ids=str,
)
def test_mistake_gets_a_message(run, command, words, said):
    code, _, err = command("report", *words)
    assert code in (1, 2)
    assert said in err


def test_hostile_names_stay_words(give_scores, run):
    detail = {EVIL: DetailRecord(axes=("latent", "factor"), values=[[0.5]] * 10)}
    evil = {"name": EVIL, "protocol": EVIL, "factors": (EVIL,), "metric": EVIL, "detail": detail}
    give_scores({"value": 0.5, **evil}, {"value": None, "reason": EVIL})
    scripts = len(Page(pages.run_page(run)).all("script"))
    one = run.record.settings["beta"].model_copy(update={"value": EVIL})
    run.record = run.record.model_copy(
        update={
            "model": EVIL,
            "settings": {**run.record.settings, EVIL: one},
            "dataset": run.record.dataset.model_copy(update={"name": EVIL, "factors": {EVIL: 2}}),
            "preset": EVIL,
            "device": EVIL,
        }
    )
    log = {"step": 1, "terms": {EVIL: 1.0}, "active": 1, "scores": {EVIL: 0.5}}
    (run.path / "log.jsonl").write_text(json.dumps(log))
    page = Page(pages.run_page(run))
    assert len(page.all("script")) == scripts
    assert not [script for script in page.scripts if script.lstrip().startswith("alert")]
    assert not [e for _, e in page.elements if "onerror" in e]
    assert page.text.count("alert(2)") > 5


def test_json_in_a_page_ends_no_script():
    value = {EVIL: ["\u2028", "&", 1.5, None]}
    text = json_text(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028") & set(text)


def study(tmp_path, problems=()):
    folder = tmp_path / "variants"
    return Page(pages.study_page(folder, folder, problems))


def test_folder_has_a_table_for_each_dataset_that_sorts_by_the_centre(variant, tmp_path):
    variant("a", seed=0, values=[{"value": 0.1}])
    variant("b", seed=1, values=[{"value": 0.3}])
    variant("c", values=[{"value": None, "reason": "why not"}], knobs={"beta": 9.0})
    variant("d", values=[{"value": 0.9}], fingerprint="f" * 64)
    variant("e", knobs={"beta": 9.0}, fingerprint="f" * 64)
    page = study(tmp_path)
    assert len(page.all("table", **{"class": "sortable scored"})) == 2
    assert len(page.all("table", **{"class": "sortable"})) == 1
    keys = [e["data-sort"] for e in page.all("td", **{"class": "number"}) if "data-sort" in e]
    assert float(keys[0]) == pytest.approx(0.2)
    assert keys[1:3] == ["", "0.9"]
    assert "n/a: why not" in page.text
    labels = [e["aria-label"] for _, e in page.elements if e.get("aria-label")]
    assert len(labels) == len(set(labels))


def test_collapsed_rows_come_last_whatever_their_score(variant, tmp_path):
    variant("a", values=[{"value": 0.1}])
    flat = variant("b", values=[{"value": 0.9}], knobs={"beta": 99.0})
    (flat.path / "log.jsonl").write_text('{"step": 5, "active": 0, "kl": [0.0]}\n')
    keys = [e["data-sort"] for e in study(tmp_path).all("td", **{"class": "number"})]
    assert keys[:2] == ["0.1", "last"]
    folder = tmp_path / "variants"
    assert 'if (key === "last") return ""' in pages.study_page(folder, folder)


def test_figures_of_a_study_are_in_its_page(variant, tmp_path):
    path = tmp_path / "effect-mig.png"
    Image.new("RGB", (500, 250), "white").save(path)
    made = tables([variant("a", values=[{"value": 0.1}])])
    folder = tmp_path / "variants"
    page = Page(pages.study_page(folder, folder, tables=made, pictures=[path]))
    (image,) = page.all("img")
    assert image["alt"] == "effect mig"
    assert image["width"] == "240"  # two inches
    assert image["src"].startswith("data:image/png;base64,")
    shown = PngInfo()
    shown.add_text("Title", "mig over beta, tiny")
    Image.new("RGB", (500, 250), "white").save(path, pnginfo=shown)
    page = Page(pages.study_page(folder, folder, tables=made, pictures=[path]))
    assert page.all("img")[0]["alt"] == "mig over beta, tiny"


def test_plot_has_every_seed_and_the_settings_that_vary(variant, tmp_path):
    variant("a", seed=0, values=[{"value": 0.1}])
    variant("b", seed=1, values=[{"value": 0.3}], knobs={"beta": 9.0})
    variant("c", seed=2, finished=False)
    told = json.loads(study(tmp_path).scripts[0])
    assert [(p["scores"]["mig"], p["knobs"]["beta"]) for p in told["points"]] == [
        (0.1, 2.0),
        (0.3, 9.0),
    ]
    assert told["knobs"] == ["beta", "seed"]
    assert told["scores"] == ["mig"]


@pytest.mark.parametrize(
    ("betas", "logarithmic"), [((1.0, 4.0, 16.0), ["beta"]), ((1.0, 2.0, 3.0), [])]
)
def test_plot_has_the_logarithmic_axes_of_the_figures(variant, tmp_path, betas, logarithmic):
    for beta in betas:
        variant(f"beta-{beta:g}", values=[{"value": 0.1}], knobs={"beta": beta})
    plot = json.loads(study(tmp_path).scripts[0])
    assert plot["knobs"] == ["beta"]
    assert plot["logarithmic"] == logarithmic


def test_plot_of_numbers_that_are_not_finite_is_still_json(variant, tmp_path):
    variant(
        "a",
        values=[{"value": float("inf")}, {"value": 0.5, "metric": "other"}],
        knobs={"beta": float("inf")},
    )
    told = json.loads(study(tmp_path).scripts[0])
    assert told["points"][0]["knobs"]["beta"] == "Infinity"
    assert list(told["points"][0]["scores"].values()) == [0.5]


def test_rows_to_compare_have_the_values_of_their_seeds_and_links_to_their_pages(variant, tmp_path):
    for seed in (0, 1):
        run = variant(f"a{seed}", seed=seed, values=[{"value": 0.1 + 0.2 * seed}])
    (run.path / "report.html").write_text("")
    variant("b", values=[{"value": 0.5}], knobs={"beta": 9.0})
    count = {"value": 3.0, "metric": "elbo", "name": "elbo/active-units"}
    variant("c", values=[count], knobs={"beta": 20.0})
    compared = json.loads(study(tmp_path).scripts[0])["compared"]
    assert [(one["score"], one["counts"]) for one in compared["columns"]] == [
        ("elbo/active-units", True),
        ("mig", False),
    ]
    first, second, third = compared["rows"]
    assert (first["name"], second["name"]) == ("beta-vae beta=2.0", "beta-vae beta=9.0")
    assert first["scores"][1] == {"centre": 0.2, "values": [0.1, 0.3]}
    assert second["scores"] == [None, {"centre": 0.5, "values": [0.5]}]
    assert third["scores"] == [{"centre": 3.0, "values": [3.0]}, None]
    assert first["pages"] == [["seed 1", "a1/report.html"]]
    assert second["pages"] == []


def test_folder_tells_its_problems(variant, tmp_path):
    variant("a", values=[{"value": 0.1}])
    variant("b", seed=1, finished=False, record={"failed": "'kl' is not finite"})
    variant("c", seed=2, finished=False)
    broken = tmp_path / "variants" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    text = study(tmp_path).text
    assert "seed 1, run" in text
    assert "failed: 'kl' is not finite" in text
    assert "invalid record" in text
    assert "unfinished 1 failed 1" in text


def test_folder_links_to_the_pages_that_there_are(variant, tmp_path):
    variant("with # and space", values=[{"value": 0.1}])
    variant("without", seed=1, values=[{"value": 0.1}])
    (tmp_path / "variants" / "with # and space" / "report.html").write_text("")
    page = study(tmp_path)
    assert [a["href"] for a in page.all("a")] == ["with%20%23%20and%20space/report.html"]
    assert (
        json.loads(page.scripts[0])["points"][0]["href"] == "with%20%23%20and%20space/report.html"
    )


def test_runs_option_writes_every_page_and_says_which_it_could_not(run, variant, tmp_path, command):
    made = variant("bare", seed=1, values=[{"value": 0.1}])
    code, out, _ = command("report", tmp_path, "--runs")
    assert code == 0
    assert out.splitlines() == [str(run.path / "report.html"), str(tmp_path / "report.html")]
    page = Page((tmp_path / "report.html").read_text())
    assert "run/report.html" in [a["href"] for a in page.all("a")]
    assert f"Report not written: {made.path}: no checkpoint found" in page.text


def test_hostile_names_stay_words_in_a_folder(variant, tmp_path):
    evil = [{"value": 0.5, "name": EVIL, "protocol": EVIL, "factors": (EVIL,)}]
    variant("a", values=evil, record={"model": EVIL}, view={"split": EVIL}, knobs={"network": EVIL})
    variant("b", seed=1, finished=False, record={"failed": EVIL})
    page = study(tmp_path, [EVIL])
    assert not [script for script in page.scripts if script.lstrip().startswith("alert")]
    assert not [e for _, e in page.elements if "onerror" in e]
    assert page.text.count("alert(2)") > 5


def test_page_of_a_colour_dataset_has_colour(run, monkeypatch):
    monkeypatch.setattr(
        run,
        "decode",
        lambda z: torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).repeat(len(z), 1, 8, 8),
    )
    base = Base("here", "h", torch.zeros(10))
    monkeypatch.setattr("disentangle.reports.run_page.find_bases", lambda run, specs: [base])
    monkeypatch.setattr(
        "disentangle.reports.run_page.reconstructions",
        lambda run, shown: {"sheet": "data:image/webp;base64,", "count": 1},
    )
    page = Page(pages.run_page(run))
    (uri,) = re.findall(r"\.sprite \{ background-image: url\((.*?)\)", page.styles[1])
    red, _, blue, _ = opened(uri)[5, 5]
    assert blue > 200
    assert red < 60


def test_missing_log_leaves_the_training_out(run):
    (run.path / "log.jsonl").unlink()
    with pytest.raises(DisentangleError):
        pages.report(run.path / "nowhere")
    assert "Training" not in Page(pages.run_page(run)).text


def test_run_that_cannot_be_read_is_on_the_page_and_fails_the_command(command, variant):
    good, bad = variant("a", values=[{"value": 0.5}]), variant("b")
    (bad.path / "run.json").write_text("{")
    code, out, err = command("report", good.path.parent)
    assert code == 1
    assert "invalid record" in err
    assert "invalid record" in (good.path.parent / "report.html").read_text()
    assert out.strip().endswith("report.html")


def charts(run):
    """The titles of the charts of the terms on a page, with their units."""
    shown = run_page.curves(run, measure_latents(run))
    return {title: unit for title, unit, _ in shown}


def test_charts_show_the_loss_the_kl_and_its_weighted_term(run):
    assert list(charts(run))[:4] == ["loss", "reconstruction", "kl", "kl, weighted"]
    assert charts(run)["kl"] == "without its weight"
    assert charts(run)["kl, weighted"] == "nats per image"
    text = pages.run_page(run)
    kl, term = run.log[-1]["values"]["kl"], run.log[-1]["terms"]["kl"]
    assert term == pytest.approx(2 * kl, rel=1e-5)
    assert f"kl: kl ends at {number(kl)}" in text
    assert f"kl, weighted: kl, weighted ends at {number(term)}" in text


def test_charts_of_an_old_log_call_no_weighted_term_kl(run):
    entries = [{k: v for k, v in e.items() if k not in ("values", "loss")} for e in run.log]
    (run.path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert list(charts(run))[:3] == ["reconstruction", "kl, weighted", "KL of each latent"]


def test_page_shows_the_command_that_trains_the_run_again(run):
    page = Page(pages.run_page(run))
    assert train_command(run.record) in page.text
    assert "--beta 2.0" in train_command(run.record)


def test_page_of_a_folder_shows_external_encoders(variant, external):
    variant("a", values=[{"value": 0.1}])
    mine = external("mine", values=[{"value": 0.9}])
    folder = mine.path.parent.parent
    text = pages.report(folder).read_text()
    page = Page(text)
    words = " ".join(page.words)
    assert "mine (external)" in words
    assert mine.record.id in words
    (plot,) = [json.loads(s) for s in page.scripts if s.startswith("{")]
    assert plot["baselines"] == {"mine (external)": {"mig": 0.9}}
    assert "Each dot is one run. Dotted lines: external encoders." in " ".join(words.split())


def test_page_of_external_encoders_alone(external):
    mine = external("mine", values=[{"value": 0.9}])
    text = pages.report(mine.path.parent.parent).read_text()
    assert "tiny, external" in text
    assert "No run has its own page" not in text
