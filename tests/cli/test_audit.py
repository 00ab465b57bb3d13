"""The command `audit`: what it prints, what it writes, and what it refuses."""

import json

import pytest
from helpers.audits import BAD_ONE, GOOD_ONE, two_scores

from disentangle.auditing.cases import CASES
from disentangle.cli import audit_view
from disentangle.cli.audit_view import show_audit

CALL = ("audit", "sap-r2", "--case", "noise", "--case", "oracle", "--jobs", "1", "--quick")


@pytest.fixture
def judged(monkeypatch):
    """Make the command judge made-up scores, one of which fails; the arguments it was given."""
    given = {}

    def audit(metrics, **options):
        given.update(options, metrics=metrics)
        return two_scores()

    monkeypatch.setattr("disentangle.auditing.audit.audit", audit)
    return given


def test_a_metric_is_audited(command):
    code, out, _ = command(*CALL)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "1 score of codes with a known answer, in 2 cases, seed 0."
    assert any(line.split()[:3] == ["sap-r2", "++", "2/2"] for line in lines)
    assert lines[-1] == "Every expectation holds."


def test_options_reach_the_audit(command, judged):
    options = ["--case", "noise", "--seeds", 4, "--seed", 7, "--jobs", 2, "--quick"]
    assert command("audit", "mig", "dci:trees=3", *options)[0] == 0
    assert judged.pop("progress")
    assert judged == {
        "metrics": ["mig", "dci:trees=3"],
        "cases": ["noise"],
        "quick": True,
        "seeds": 4,
        "seed": 7,
        "jobs": 2,
    }


@pytest.mark.parametrize("words", [[], ["all"]])
def test_all_metrics_are_audited_by_default(command, judged, words):
    assert command("audit", *words)[0] == 0
    assert judged["metrics"] is None


def test_failures_are_told_in_words_and_are_no_failure_of_the_command(command, judged):
    code, out, _ = command("audit")
    assert code == 0
    assert f"{BAD_ONE}, which claims completeness" in out
    case = CASES["noise"]
    assert f"  noise: {case.about} {case.expects}\n      expected at most 0.1, got 0.300" in out
    assert f"{GOOD_ONE}, which claims" not in out
    assert "elbo: not audited, as no" in out


def test_strict_fails_if_an_expectation_does(command, judged):
    code, out, err = command("audit", "--strict")
    assert code == 1
    assert "expected at most 0.1, got 0.300" in out
    assert err == "error: --strict: 3 cells with a failed expectation\n"


def test_json_is_the_audit(command, judged):
    code, out, _ = command("audit", "--json")
    assert code == 0
    assert json.loads(out)["scores"][BAD_ONE]["fails"] == 3


def test_files_are_written_and_named(command, judged, tmp_path):
    code, _, err = command("audit", "-o", "folder/audit")
    assert code == 0
    names = ["table.md", "cells.csv", "page.html", "audit.json", "matrix.png", "matrix.svg"]
    assert err.splitlines() == [f"folder/audit/{name}" for name in names]
    assert sorted(names) == sorted(p.name for p in (tmp_path / "folder/audit").iterdir())


def test_results_are_shown_even_if_no_file_can_be_written(command, judged, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device", "folder/table.md")

    monkeypatch.setattr("disentangle.reports.audit_files.write_audit", full)
    code, out, err = command("audit", "-o", "folder")
    assert code == 1
    assert "expected at most 0.1" in out
    assert err == "error: not written: folder/table.md: No space left on device\n"


def test_a_file_in_place_of_the_folder_is_refused_before_anything_is_computed(command, tmp_path):
    (tmp_path / "taken").write_text("")
    code, out, err = command("audit", "-o", "taken")
    assert (code, out) == (2, "")
    assert err == "error: --output taken: expected a folder, got a file\n"


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["migg"], "did you mean 'mig'?"),
        (["mig:bin=3"], "did you mean 'bins'?"),
        (["mig", "--case", "rotatd"], "there is no case 'rotatd'; did you mean 'rotated'?"),
        (["elbo"], "nothing to audit"),
    ],
)
def test_mistakes_are_refused(command, words, refusal):
    code, out, err = command("audit", *words)
    assert (code, out) == (2, "")
    assert refusal in err


def test_cases_are_found_in_any_case(command):
    assert command("audit", "SAP-R2", "--case", "Oracle", "--jobs", "1", "--quick")[0] == 0


@pytest.fixture
def lines_at(monkeypatch, capsys):
    """A function that prints the audit in a terminal of a width; its lines."""

    def lines(width):
        monkeypatch.setattr(audit_view, "output_width", lambda: width)
        show_audit(two_scores())
        return capsys.readouterr().out.splitlines()

    return lines


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_fit_the_terminal(lines_at, width):
    lines = lines_at(width)
    assert max(map(len, lines)) <= max(width, len(f"{BAD_ONE}, which claims completeness"))
    assert any("abcde" in line for line in lines)


def test_reliability_is_beside_the_marks_where_it_fits_and_else_below(lines_at):
    def rows(width):
        return [line for line in lines_at(width) if line.startswith(f"{BAD_ONE} ")]

    assert len(rows(120)) == 1
    assert rows(120)[0].split()[-2:] == ["0.80", "0.25"]
    below = rows(50)
    assert [row.split()[1] for row in below] == ["++XXX", "875"]


def test_marks_are_coloured_only_in_a_terminal_with_colours(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    show_audit(two_scores())
    assert "\x1b[1;31mX\x1b[0m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    show_audit(two_scores())
    out = capsys.readouterr().out
    assert "\x1b[1;31m" not in out
    assert "X fails" in out.replace("\x1b[1m", "").replace("\x1b[0m", "")
