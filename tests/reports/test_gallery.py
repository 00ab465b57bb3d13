"""The gallery: which runs, scores and pictures its cards show, and when the command writes it."""

import shutil

import pytest
from helpers.browsers import EVIL

from disentangle.reports import gallery, pages
from disentangle.reports.gallery import about_gallery
from disentangle.runs.run import read_run

MIG, FACTOR = {"name": "mig"}, {"name": "factor-vae-score", "metric": "factor-vae-score"}


@pytest.fixture
def results(variant, tmp_path):
    """A function that makes a run with scores in a study of a results folder."""

    def make(study, name, values, **changes):
        made = variant(f"{study}-{name}", values=values, **changes)
        place = tmp_path / "results" / study / "tiny" / "beta-vae" / name
        return read_run(shutil.move(made.path, place))

    (tmp_path / "results").mkdir()
    return make


def contents(tmp_path, **options):
    folder = tmp_path / "results"
    return about_gallery(folder, folder, "report.html", **options)


def test_studies_link_to_their_pages_and_cards_to_those_of_runs(results, tmp_path):
    results("a", "1", [{"value": 0.5}], seed=1)
    run = results("b", "2", [{"value": 0.25}], seed=2)
    (run.path / "report.html").write_text("a page")
    (tmp_path / "results" / "a" / "report.html").write_text("a page")
    page = contents(tmp_path)
    assert [(study["name"], study["href"], study["about"]) for study in page["studies"]] == [
        ("a", "a/report.html", "1 run of beta-vae on tiny"),
        ("b", "", "1 run of beta-vae on tiny"),
    ]
    (section,) = page["sections"]
    assert [(card["study"], card["seed"], card["href"]) for card in section["cards"]] == [
        ("a", 1, ""),
        ("b", 2, "b/tiny/beta-vae/2/report.html"),
    ]
    assert page["choices"] == {"model": ["beta-vae"], "dataset": ["tiny"], "study": ["a", "b"]}


def test_cards_are_in_the_order_of_their_settings_by_number(results, tmp_path):
    for name, beta in (("x", 16.0), ("y", 2.0), ("z", 4.0)):
        results("a", name, [], knobs={"beta": beta})
    (section,) = contents(tmp_path)["sections"]
    assert [card["settings"].partition("beta=")[2][:3] for card in section["cards"]] == [
        "2.0",
        "4.0",
        "16.",
    ]


def test_a_card_has_the_scores_under_the_conditions_that_most_runs_share(results, tmp_path):
    disjoint = {"protocol": "disjoint"}
    one = [MIG | {"value": 0.5}, MIG | disjoint | {"value": 0.1}, FACTOR | {"value": 0.75}]
    results("a", "1", [*one, MIG | {"value": 0.2, "knobs": {"bins": 40}}])
    results("a", "2", [MIG | {"value": 0.25}], seed=1)
    results("a", "3", [MIG | disjoint | {"value": 0.3}], seed=2)
    results("a", "4", [MIG | {"value": None, "reason": "why not"}], seed=3)
    (section,) = contents(tmp_path)["sections"]
    assert section["conditions"].startswith("Protocol locatello2019, mean representation")
    assert section["scores"] == ["mig", "factor-vae-score"]
    assert [[(s["name"], s["value"]) for s in card["scores"]] for card in section["cards"]] == [
        [("mig", "0.500"), ("factor-vae-score", "0.750")],
        [("mig", "0.250")],
        [],
        [],
    ]


def test_hyper_parameters_that_are_not_the_default_are_said_and_come_last(results, tmp_path):
    other = MIG | {"value": 0.2, "knobs": {"bins": 40}}
    results("a", "1", [other, FACTOR | {"value": 0.75}])
    (section,) = contents(tmp_path)["sections"]
    assert section["scores"] == ["factor-vae-score", "mig [bins=40]"]


def test_ranks_follow_the_direction_of_a_score_and_collapsed_runs_are_marked(results, tmp_path):
    error = {"name": "reconstruction/error", "metric": "reconstruction", "value": 9.0}
    run = results("a", "1", [MIG | {"value": 0.5}, error])
    (run.path / "log.jsonl").write_text('{"step": 5, "kl": [0.0], "active": 0}\n')
    page = contents(tmp_path)
    (data,) = page["data"]
    assert data["last"]
    assert data["scores"] == {"mig": [0.5, "0.500"], "reconstruction/error": [-9.0, "9.000"]}
    (card,) = page["sections"][0]["cards"]
    assert card["state"] == "collapsed"
    assert [score["bar"] for score in card["scores"]] == [0.5, None]


def test_pictures_end_where_the_page_would_be_too_large(results, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "BYTES", 1)
    monkeypatch.setattr(gallery, "thumbnail", lambda run: "data:image/webp;base64,")
    for seed in range(3):
        results("a", str(seed), [], seed=seed)
    page = contents(tmp_path)
    assert [bool(card["picture"]) for card in page["sections"][0]["cards"]] == [True, False, False]
    assert page["omitted"] == 2


def test_a_run_whose_weights_cannot_be_used_has_no_picture_and_a_reason(run, tmp_path):
    place = tmp_path / "results" / "a" / "tiny" / "beta-vae" / run.record.id
    shutil.copytree(run.path, place)
    (place / "checkpoint.safetensors").write_bytes(b"damaged")
    page = contents(tmp_path)
    assert page["sections"][0]["cards"][0]["picture"] == ""
    assert page["problems"][0].startswith(f"No picture of run {run.record.id}: ")


def test_a_folder_of_several_studies_has_a_page_of_tables_and_a_gallery(results, command, tmp_path):
    results("a", "1", [{"value": 0.5}])
    results("b", "2", [{"value": 0.25}], seed=1)
    code, out, _ = command("report", "results")
    assert (code, out) == (0, "results/index.html\nresults/report.html\n")
    text = (tmp_path / "results" / "index.html").read_text()
    assert text.count('<li class="card">') == 2
    (tmp_path / "results" / "index.html").unlink()
    assert command("report", "results", "--output", "mine.html")[:2] == (0, "mine.html\n")
    assert not (tmp_path / "results" / "index.html").exists()


def test_a_folder_of_one_study_has_a_gallery_only_if_asked(results, command, tmp_path):
    results("a", "1", [{"value": 0.5}])
    for folder in ("results", "results/a"):
        assert command("report", folder)[:2] == (0, f"{folder}/report.html\n")
        assert not (tmp_path / folder / "index.html").exists()
    (tmp_path / "results" / "report.html").unlink()
    assert command("report", "results", "--gallery")[:2] == (0, "results/index.html\n")
    assert not (tmp_path / "results" / "report.html").exists()
    assert command("report", "results", "--gallery", "--output", "g.html")[:2] == (0, "g.html\n")


def test_a_gallery_of_one_run_is_refused(run, command):
    code, _, err = command("report", run.path, "--gallery")
    assert code == 2
    assert "--gallery requires a folder of runs, got a single run" in err


def test_hostile_names_are_only_names(results, tmp_path):
    evil = {"name": EVIL, "metric": EVIL, "protocol": EVIL, "value": 0.5}
    results("a", "1", [evil], record={"model": EVIL})
    folder = tmp_path / "results"
    page = pages.gallery_page(folder, folder)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("&lt;script&gt;alert(1)") > 3
