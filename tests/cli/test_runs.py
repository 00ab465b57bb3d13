"""`disentangle runs`, and runs that are given by name or id."""

import json
from itertools import pairwise

import filelock
import pytest

from disentangle.cli import runs as runs_command
from disentangle.runs.labels import read_label, write_label

TRAIN = ("train", "vae", "tiny", "--steps", 2, "--batch-size", 8, "--device", "cpu", "--no-figures")


@pytest.fixture
def results(variant):
    """A folder with two runs, of which the first is named and scored."""
    first = variant("aa11", values=[{"value": 0.125}])
    variant("bb22", seed=1, knobs={"beta": 9.0})
    write_label(first.path, name="best", note="the first of all")
    return first.path.parent


def test_list_has_state_name_settings_and_scores(command, results):
    code, out, _ = command("runs", "--results", results)
    assert code == 0
    head, *lines = out.splitlines()
    assert head.split() == [
        *("run", "name", "state", "model", "settings", "dataset", "seed", "mig", "age", "note"),
        "folder",
    ]
    assert len(lines) == 2
    (best,) = (line for line in lines if "best" in line)
    assert "0.125" in best
    assert "the first of all" in best
    assert str(results / "aa11") in best


def test_list_is_chosen_by_conditions(command, results):
    out = command("runs", "--results", results, "--where", "beta>4")[1]
    assert "bb22" in out
    assert "aa11" not in out
    code, _, err = command("runs", "--results", results, "--where", "state=failed")
    assert (code, "no run matches" in err) == (1, True)


@pytest.mark.parametrize(
    ("score", "said"),
    [
        ("migg", "no run has the score 'migg'; did you mean 'mig'?"),
        ("dci", "no run has the score 'dci'; known: mig"),
        ("mig,sap", "give one value per option: --score mig --score sap"),
    ],
)
def test_score_that_no_run_has_is_refused(command, results, score, said):
    code, out, err = command("runs", "--results", results, "--score", score)
    assert (code, out, said in err) == (2, "", True)
    assert "0.125" in command("runs", "--results", results, "--score", "MIG")[1]


def test_score_is_not_refused_while_there_are_no_scores(command, variant):
    results = variant("cc33").path.parent
    code, out, err = command("runs", "--results", results, "--score", "mig")
    assert (code, "beta-vae" in out) == (0, True)
    assert "'mig' is not shown, as no run has a score yet" in err


def test_list_as_json_has_all(command, results):
    listed = json.loads(command("runs", "--results", results, "--json")[1])
    assert [one["name"] for one in listed if one["name"]] == ["best"]
    assert {"state", "steps", "scores", "folder", "note", "started"} <= set(listed[0])


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_narrow_terminal_gets_fewer_columns_and_is_told(command, results, monkeypatch, columns):
    monkeypatch.setattr(runs_command, "output_width", lambda: columns)
    code, out, err = command("runs", "--results", results)
    assert code == 0
    assert max(map(len, out.splitlines())) <= columns
    assert "not shown at this width: folder" in err
    if columns == 80:
        assert "beta=9.0" in out
        assert "batch_size" not in out  # it is equal in both


def columns_at(command, monkeypatch, results, columns):
    """The columns of the list in a terminal of this width."""
    monkeypatch.setattr(runs_command, "output_width", lambda: columns)
    out = command("runs", "--results", results)[1]
    return out.splitlines()[0].split()


def test_columns_are_left_out_in_an_order_that_keeps_what_tells_runs_apart(
    command, variant, monkeypatch
):
    """First folders, then equal settings, notes and ages; then what is equal in all runs."""
    for number, beta in enumerate((2.0, 9.0)):
        run = variant(f"{number}a", seed=number, values=[{"value": 0.5}], knobs={"beta": beta})
        write_label(run.path, note="a note on this run")
    results = run.path.parent
    widths = range(200, 20, -2)
    heads = [columns_at(command, monkeypatch, results, width) for width in widths]
    left_out = [name for a, b in pairwise(heads) for name in a if name not in b]
    assert left_out == [
        *("folder", "note", "age"),  # dispensable
        *("dataset", "state", "model"),  # the same for both runs
        *("settings", "seed"),
    ]
    assert heads[-1] == ["run", "mig"]


def test_line_names_what_is_left_out_in_that_order(command, results, monkeypatch):
    monkeypatch.setattr(runs_command, "output_width", lambda: 30)
    _, _, err = command("runs", "--results", results)
    assert "not shown at this width: folder, equal settings, note, age, dataset, state, " in err


def test_run_is_named_and_given_by_its_name(command, results):
    code, out, _ = command("runs", "name", results / "bb22", "other", "--results", results)
    assert code == 0
    assert read_label(results / "bb22").name == "other"
    code, out, _ = command("runs", "name", "other", "--note", "see", "--results", results)
    assert out.split()[1:3] == ["other", "see"]
    code, _, err = command("runs", "name", "other", "best", "--results", results)
    assert (code, "has this name already" in err) == (2, True)
    assert command("runs", "name", "other", "--results", results)[0] == 2


@pytest.mark.parametrize("words", [("watch", "best", "--once"), ("resume", "bb22")], ids=" ".join)
def test_run_of_another_results_folder_is_given_by_its_name_or_id(command, results, words):
    code, out, err = command(*words, "--results", results)
    assert (code, out.strip()) == (0, str(results / ("aa11" if "best" in words else "bb22"))), err
    assert command("compare", "best", "bb22", "--json", "--results", results)[0] == 0


def test_removal_says_what_goes_and_needs_a_confirmation(command, results):
    code, out, err = command("runs", "remove", "best", "--results", results)
    assert (code, out) == (2, "")
    assert "aa11 'best': beta-vae on tiny, seed 0, finished; 3 files" in err
    assert "give --yes" in err
    assert (results / "aa11").exists()
    code, out, _ = command("runs", "remove", "best", "--yes", "--results", results)
    assert (code, out.strip()) == (0, str(results / "aa11"))
    assert not (results / "aa11").exists()
    assert (results / "bb22").exists()


def test_run_that_is_training_is_not_removed(command, results):
    with filelock.FileLock(results / "bb22" / ".lock"):
        code, _, err = command("runs", "remove", "bb22", "--yes", "--results", results)
    assert (code, "another process is training" in err) == (1, True)
    assert (results / "bb22").exists()


def test_options_before_a_subcommand_are_refused(command, results):
    code, _, err = command("runs", "--results", results, "remove", "best", "--yes")
    assert (code, "give options after `runs remove`" in err) == (2, True)
    assert (results / "aa11").exists()


def test_trained_run_has_its_name_and_is_found_by_it(command, strangers, tmp_path):
    code, out, err = command(*TRAIN, "--name", "small", "--note", "two steps")
    assert code == 0, err
    path = out.strip()
    assert " small " in command("runs")[1]
    code, out, _ = command("watch", "small", "--once")
    assert (code, out.strip()) == (0, path)
    code, _, err = command(*TRAIN, "--seed", 1, "--name", "small")
    assert (code, "has this name already" in err) == (2, True)
    assert len(list(tmp_path.glob("results/*/*/*/*"))) == 1
    assert command(*TRAIN, "--name", "small")[0] == 0


def test_name_that_is_none_is_refused_before_training(command, strangers, tmp_path):
    code, _, err = command(*TRAIN, "--name", "a b")
    assert (code, "expected letters, digits" in err) == (2, True)
    assert not (tmp_path / "results").exists()


def test_scores_of_a_run_elsewhere_leave_no_table_there(command, run):
    code, _, err = command("score", run.path, "--metric", "mig")
    assert code == 0, err
    assert not (run.path.parent / "scores.md").exists()
    assert "No table was written, because none of these runs is in results" in " ".join(err.split())


def test_unreadable_runs_are_named_if_there_are_no_others(command, run):
    (run.path / "run.json").write_text("{")
    code, out, err = command("runs", "--results", run.path.parent)
    assert (code, out) == (1, "")
    assert "invalid record" in err
