"""Names of runs: what they are, where they are kept, and how a run is found by them."""

import shutil
from contextlib import suppress

import pytest
from filelock import FileLock, Timeout

from disentangle.errors import DisentangleError, UsageError
from disentangle.runs import labels
from disentangle.runs.labels import Label, check_free, find_run, read_label, write_label
from disentangle.runs.named import load_run


def test_run_without_a_label_has_no_name(run):
    assert read_label(run.path) == Label()


def test_label_changes_neither_record_nor_id(run):
    before = (run.path / "run.json").read_bytes()
    write_label(run.path, name="first", note="a note")
    assert (run.path / "run.json").read_bytes() == before
    assert load_run(run.path).record.id == run.record.id
    assert read_label(run.path) == Label(name="first", note="a note")


def test_what_is_not_given_stays_and_empty_text_removes(run):
    write_label(run.path, name="first", note="a note")
    write_label(run.path, note="another")
    assert read_label(run.path) == Label(name="first", note="another")
    write_label(run.path, name="")
    assert read_label(run.path) == Label(note="another")


@pytest.mark.parametrize("name", ["a b", "a/b", "-a", ".a", "ä", "a\n"])
def test_name_that_no_command_could_take_is_refused(run, name):
    with pytest.raises(UsageError, match="expected letters, digits and"):
        write_label(run.path, name=name)
    assert read_label(run.path).name == ""


@pytest.fixture
def results(variant):
    """A folder with the runs `aa11`, `aa22` and `bb33`, the last of which is named `best`."""
    paths = [variant(name).path for name in ("aa11", "aa22", "bb33")]
    write_label(paths[2], name="best")
    return paths[0].parent


def test_run_is_found_by_folder_name_and_start_of_its_id(results):
    assert find_run(results / "aa11", results) == results / "aa11"
    assert find_run("best", results) == find_run("bb", results) == results / "bb33"


def test_folder_comes_before_a_name(results, monkeypatch):
    monkeypatch.chdir(results)
    shutil.copytree(results / "aa11", results / "best")
    assert str(find_run("best", results)) == "best"


def test_folder_may_be_given_from_the_results_on(results):
    inside = f"{results.name}/aa11"
    assert find_run(inside, results.parent) == results / "aa11"
    assert str(find_run("nosuch/aa11", results.parent)) == "nosuch/aa11"


def test_several_runs_or_none_are_an_error(results):
    with pytest.raises(DisentangleError, match=r"'aa' matches several runs; .*aa11, .*aa22"):
        find_run("aa", results)
    with pytest.raises(DisentangleError, match=r"cc: not a run .*nor the name or id of a run"):
        find_run("cc", results)


def test_name_of_another_run_is_taken(results):
    check_free("best", results / "bb33", results)
    with pytest.raises(UsageError, match="bb33 has this name already"):
        check_free("best", results / "aa11", results)


def test_name_is_given_while_no_other_process_can_give_one(results, monkeypatch):
    find_runs, free = labels.find_runs, []

    def look(folder):
        with suppress(Timeout), FileLock(results / labels.NAMES_LOCK, timeout=0):
            free.append(True)
        return find_runs(folder)

    monkeypatch.setattr(labels, "find_runs", look)
    check_free("new", results / "aa11", results)
    assert free == [True]
    write_label(results / "aa11", name="new", results=results)
    assert free == [True]
    write_label(results / "aa11", note="a note", results=results)  # which may be given any time
    assert read_label(results / "aa11") == Label(name="new", note="a note")


def test_id_of_another_run_is_no_name_and_comes_before_one(results):
    with pytest.raises(UsageError, match="aa11 has this id already"):
        write_label(results / "bb33", name="aa11", results=results)
    write_label(results / "bb33", name="aa11")  # as a folder that was copied here may have it
    assert find_run("aa11", results) == results / "aa11"


def test_damaged_label_hides_no_other_run(results):
    (results / "aa22" / "label.json").write_text("")
    assert find_run("best", results) == results / "bb33"
    write_label(results / "aa11", name="first", results=results)
