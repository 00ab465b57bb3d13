"""Text that commands print in columns."""

import pytest

from disentangle.cli.output import missing, print_aligned, show_baselines
from disentangle.cli.show_scores import show_details
from disentangle.runs.score_records import DetailRecord
from disentangle.runs.scores import read_scores
from disentangle.scoring.measure import ScoreMapping

LONG = "orientation of the left hand, in degrees"


def ends(line: str, words: list[str]) -> list[int]:
    return [line.index(word) + len(word) for word in words]


@pytest.mark.parametrize("mark", ["[bold]", ":smile:", "x" * 500])
def test_cells_are_aligned_and_nothing_but_text(capsys, mark):
    print_aligned([("name", "n"), (mark, "1.0"), ("b", "22.0")], numbers=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [mark, "1.0"]
    assert {len(line) for line in lines} == {len(mark) + 2 + 4}


def test_words_are_aligned_to_the_left_and_no_line_ends_in_spaces(capsys):
    print_aligned([("  a", "one", ""), ("bbbb", "", "three")])
    print_aligned([])
    assert capsys.readouterr().out == "  a   one\nbbbb       three\n"


def test_number_stands_under_a_name_longer_than_its_cell(capsys, variant):
    detail = {
        "mig/information": DetailRecord(
            axes=("latent", "factor"), values=[[0.5, None], [0.25, 1]], about="in nats"
        ),
        "mig/gaps": DetailRecord(axes=("factor",), values=[0.125, 0.75]),
    }
    run = variant("a", values=[{"factors": (LONG, "x"), "detail": detail}])
    show_details(ScoreMapping(read_scores(run)))
    _, title, about, head, first, second, _, other, heads, gaps = (
        capsys.readouterr().out.splitlines()
    )
    assert title == "mig/information (mean representation), by latent and factor"
    assert about == "in nats"
    assert ends(head, [LONG, "x"]) == ends(first, ["0.500", "n/a"])
    assert ends(head, [LONG, "x"]) == ends(second, ["0.250", "1.000"])
    assert second.startswith("z1 ")
    assert other == "mig/gaps (mean representation), by factor"
    assert ends(heads, [LONG, "x"]) == ends(gaps, ["0.125", "0.750"])


def test_whole_details_are_printed_whole(capsys, variant):
    votes = DetailRecord(axes=("latent", "factor"), values=[[1659.0, 0.0], [None, 1.0]])
    score = {"factors": ("x", "y"), "knobs": {"bins": 40}, "detail": {"f/votes": votes}}
    show_details(ScoreMapping(read_scores(variant("a", values=[score]))))
    _, title, *rows = capsys.readouterr().out.splitlines()
    assert title == "f/votes [bins=40] (mean representation), by latent and factor"
    assert [row.split() for row in rows] == [["x", "y"], ["z0", "1659", "0"], ["z1", "n/a", "1"]]


def test_baselines_scores_stand_under_their_names(capsys, variant):
    values = [{"name": "a-score-with-a-long-name", "value": 0.5}, {"name": "mig", "value": 0.25}]
    mapping = ScoreMapping(read_scores(variant("a", values=values)))
    show_baselines({"oracle": mapping, "a longer name": mapping})
    head, first, _ = capsys.readouterr().out.splitlines()
    assert ends(head, ["a-score-with-a-long-name", "mig"]) == ends(first, ["0.500", "0.250"])


def test_baselines_counts_are_shown_as_counts(capsys, variant):
    values = [{"name": "elbo/active-units", "metric": "elbo", "value": 10.0}]
    show_baselines({"pca": ScoreMapping(read_scores(variant("a", values=values)))})
    assert capsys.readouterr().out.split() == ["elbo/active-units", "pca", "10"]


@pytest.fixture
def terminal(command, variant, monkeypatch):
    """A function that runs a command in a terminal of some width, with a table of two runs."""
    for beta in (1.0, 250.0):
        names = ("elbo/reconstruction", "elbo/total", "elbo/kl", "mig", "modularity", "sap")
        values = [
            {"name": name, "metric": name.partition("/")[0], "value": i / 7, "version": 9}
            for i, name in enumerate(names)
        ]
        run = variant(f"beta-{beta}", values=values, knobs={"beta": beta})

    def run_command(width, *words):
        for module in ("_utils.console", "cli.output"):
            monkeypatch.setattr(f"disentangle.{module}.output_width", lambda: width)
        paths = [run.path.parent / f"beta-{beta}" for beta in (1.0, 250.0)]
        given = {"RUNS": [*paths], "RESULTS": ["--results", run.path.parent]}
        words = [part for word in words for part in given.get(word, [word])]
        code, out, err = command(*words)
        assert code == 0, err
        return out.splitlines()

    return run_command


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize(
    "words", [["data", "list"], ["table", "RESULTS"], ["compare", "RUNS"]], ids=str
)
def test_only_a_single_word_is_wider_than_the_terminal(terminal, words, width):
    lines = terminal(width, *words)
    wide = [line for line in lines if len(line) > width]
    assert all(len(line.split()) <= 2 for line in wide), wide


@pytest.mark.parametrize("width", [40, 80, 200])
def test_table_in_a_terminal_has_every_number_whole(terminal, width):
    text = "\n".join(terminal(width, "table", "RESULTS"))
    assert "|" not in text
    for i in range(1, 6):
        assert text.count(f"{i / 7:.3f}") == 2


def test_reasons_for_missing_scores_name_what_they_are_of_once():
    baselines = {
        "oracle": ScoreMapping([]),
        "pixels": ScoreMapping([], {"sap": "too slow"}),
        "noise": ScoreMapping([], {"sap": "too slow", "mig": "none", "mcc": "none"}),
    }
    assert missing(baselines) == [
        (["pixels", "noise"], ["sap"], "too slow"),
        (["noise"], ["mig", "mcc"], "none"),
    ]
