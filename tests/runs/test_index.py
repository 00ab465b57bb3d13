"""The index of runs: only ever what the folders hold, and read in their place where it can be."""

import gzip
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from disentangle.runs import collapse, collection, index
from disentangle.runs.collapse import collapsed
from disentangle.runs.collection import find_runs, load_all
from disentangle.runs.index import place_of, read_index, write_index
from disentangle.runs.log_tail import last_entry
from disentangle.runs.named import load_run
from disentangle.runs.scores import read_scores
from disentangle.score_tables.build import make_tables


@pytest.fixture
def results(variant, tmp_path, monkeypatch):
    """A folder of four runs, enough and old enough for an index, in a cache of its own."""
    monkeypatch.setenv("DISENTANGLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(collection, "MANY", 2)
    monkeypatch.setattr(index, "SETTLED", 0)
    for seed in range(4):
        knobs = {"beta": 2.0, "latents": 4} if seed % 2 else {"beta": 4.0}
        values = [{"value": seed / 3}, {"value": None, "reason": "n/a", "knobs": {"bins": 9}}]
        variant(f"s{seed}", seed=seed, knobs=knobs, values=values, finished=seed != 2)
    time.sleep(0.02)  # a tick of the clock of files, so that they lie in the past
    return tmp_path / "variants"


def held(results):
    """Return all that is known of the runs, but for details, and why others cannot be read."""
    runs, problems = load_all(results)
    return [
        (run.path, run.record, [s.model_dump_json(exclude={"detail"}) for s in read_scores(run)])
        for run in runs
    ], problems


def without_index(results, monkeypatch):
    """Return what the folders hold."""
    with monkeypatch.context() as patch:
        patch.setattr(collection, "MANY", 1_000)
        return held(results)


def recalled(results):
    """Return the names of the runs that come from the index."""
    known = read_index(results)
    paths = find_runs(results)
    return [p.name for p in paths if known.recall(p, str(p.relative_to(results))) is not None]


def test_runs_are_read_from_the_index_the_second_time(results, monkeypatch):
    first = held(results)
    monkeypatch.setattr(collection, "read_run", None)
    assert held(results) == first
    assert recalled(results) == ["s0", "s1", "s2", "s3"]


def test_log_is_read_once_for_each_change(results, monkeypatch):
    reads = []

    def counted(path):
        reads.append(path.parent.name)
        return last_entry(path)

    def collapsed_runs():
        runs, _ = load_all(results)
        make_tables(runs)
        make_tables(runs)
        return [run.path.name for run in runs if collapsed(run)]

    def log(name, active):
        (results / name / "log.jsonl").write_text(
            json.dumps({"step": 5, "active": active, "kl": [0.0]}) + "\n"
        )

    for name in ("s0", "s1", "s3"):
        log(name, 9)
    time.sleep(0.02)
    monkeypatch.setattr(collapse, "last_entry", counted)
    assert collapsed_runs() == []
    assert sorted(reads) == ["s0", "s1", "s3"]
    assert collapsed_runs() == []
    log("s1", 0)
    time.sleep(0.02)
    assert collapsed_runs() == collapsed_runs() == ["s1"]
    assert sorted(reads) == ["s0", "s1", "s1", "s3"]


def test_index_without_logs_is_completed(results):
    load_all(results)
    file, _ = place_of(results)
    content = json.loads(gzip.decompress(file.read_bytes()))
    for entry in content["runs"].values():
        del entry["log"]
    file.write_bytes(gzip.compress(json.dumps(content).encode()))
    assert held(results)[1] == []
    finished = [name for name, entry in read_index(results).runs.items() if entry.log is not None]
    assert finished == ["s0", "s1", "s3"]


def test_index_keeps_types_and_what_is_not_finite(results, variant, monkeypatch):
    odd = [{"value": float(v), "settings": {"a": 1, "b": 1.0, "c": True}} for v in ("nan", "inf")]
    variant("odd", seed=9, values=odd, record={"failed": "it was\n\u00e9 'odd'"})
    time.sleep(0.02)
    load_all(results)
    assert "odd" in recalled(results)
    assert repr(held(results)) == repr(without_index(results, monkeypatch))


def changed(results):
    run = load_run(results / "s1")
    run.save_record(commit="0" * 12)


def edited(results):
    file = results / "s1" / "run.json"
    file.write_text(file.read_text().replace('"seed"', '"sead"'))


def damaged(results):
    (results / "s1" / "scores.json").write_text("{")


def rescored(results):
    file = results / "s1" / "scores.json"
    scores = json.loads(file.read_text())
    scores["scores"][0]["value"] = 0.987654321
    file.write_text(json.dumps(scores))


def swapped(results):
    (results / "s0").rename(results / "s9")
    (results / "s1").rename(results / "s0")


@pytest.mark.parametrize(
    "change",
    [
        changed,
        edited,
        damaged,
        rescored,
        swapped,
        lambda results: shutil.rmtree(results / "s1"),
        lambda results: (results / "s1" / "run.json").unlink(),
        lambda results: (results / "s1" / "scores.json").unlink(),
        lambda results: shutil.copytree(results / "s1", results / "deeper" / "s1"),
    ],
)
def test_change_is_seen(results, change, monkeypatch):
    before = held(results)
    change(results)
    after = without_index(results, monkeypatch)
    assert after != before
    assert held(results) == after
    assert held(results) == after  # and again, from the index that was written just now


def test_file_that_changed_just_now_is_not_trusted(results, monkeypatch):
    monkeypatch.setattr(index, "SETTLED", 2_000_000_000)
    load_all(results)
    assert recalled(results) == []
    file = results / "s1" / "run.json"
    about, text = file.stat(), file.read_text()
    file.write_text(text.replace('"beta-vae"', '"beta-vat"'))
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert held(results)[0][1][1].model == "beta-vat"


def test_time_that_was_put_back_is_noticed(results):
    load_all(results)
    file = results / "s1" / "run.json"
    about, text = file.stat(), file.read_text()
    file.write_text(text.replace('"beta-vae"', '"beta-vat"'))
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert recalled(results) == ["s0", "s2", "s3"]


def other(results, **update):
    """Return the bytes of an index with these changes."""
    known = json.loads(gzip.decompress(place_of(results)[0].read_bytes()))
    return gzip.compress(json.dumps({**known, **update}).encode())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept, results: b"",
        lambda kept, results: b"no index",
        lambda kept, results: kept[:-9],
        lambda kept, results: kept[:50] + bytes([kept[50] ^ 1]) + kept[51:],
        lambda kept, results: gzip.compress(b"[1, 2]"),
        lambda kept, results: other(results, version="0.0.9"),
        lambda kept, results: other(results, format=2),
        lambda kept, results: other(results, folder="/elsewhere"),
    ],
)
def test_spoilt_index_is_made_again(results, spoil):
    first = held(results)
    file, _ = place_of(results)
    file.write_bytes(spoil(file.read_bytes(), results))
    assert recalled(results) == []
    assert held(results) == first
    assert recalled(results) == ["s0", "s1", "s2", "s3"]


def test_option_that_there_is_no_longer_is_refused_as_before(results, monkeypatch):
    run = load_run(results / "s1")
    strange = {**run.record.training, "strange": run.record.training["steps"]}
    load_all(results)
    known = read_index(results)
    records = [r.model_copy(update={"training": strange}) for r in known.records]
    spoilt = [json.loads(record.model_dump_json()) for record in records]
    place_of(results)[0].write_bytes(other(results, records=spoilt))
    assert recalled(results) == []


def test_index_that_cannot_be_written_is_none(results, tmp_path, monkeypatch):
    expected = without_index(results, monkeypatch)
    (tmp_path / "cache").mkdir(exist_ok=True)
    shutil.rmtree(tmp_path / "cache" / "runs", ignore_errors=True)
    (tmp_path / "cache" / "runs").write_text("a file where the folder would be")
    assert held(results) == expected


def test_indexes_written_at_once_are_whole(results):
    expected = held(results)
    runs, _ = load_all(results)
    with ThreadPoolExecutor(4) as several:
        writing = [several.submit(write_index, results, runs) for _ in range(20)]
        reading = [several.submit(recalled, results) for _ in range(20)]
        for job in writing:
            job.result()
        assert all(job.result() == ["s0", "s1", "s2", "s3"] for job in reading)
    assert held(results) == expected
    assert [path.name for path in place_of(results)[0].parent.iterdir()] == [
        place_of(results)[0].name
    ]


def test_details_are_read_from_the_folder_where_they_are_wanted(results):
    load_all(results)
    run = load_all(results)[0][0]
    assert read_scores(run, detail=False)[0].detail == {}
    assert read_scores(run)[0].detail == read_scores(load_run(run.path))[0].detail != {}


def test_few_runs_have_no_index(results, monkeypatch):
    monkeypatch.setattr(collection, "MANY", 5)
    load_all(results)
    assert not place_of(results)[0].exists()


def test_index_is_not_written_again_for_a_few_runs(results, variant, monkeypatch):
    monkeypatch.setattr(collection, "LACKING", 0.3)
    load_all(results)
    variant("s4", seed=4)
    time.sleep(0.02)
    load_all(results)
    assert "s4" not in recalled(results)


def test_oldest_indexes_go(results, tmp_path, monkeypatch):
    monkeypatch.setattr(index, "INDEXES", 2)
    for name in ("a", "b", "c"):
        shutil.copytree(results, tmp_path / name)
        time.sleep(0.02)
        load_all(tmp_path / name)
    there = [name for name in ("a", "b", "c") if place_of(tmp_path / name)[0].exists()]
    assert there == ["b", "c"]


def test_results_folder_keeps_nothing_of_the_index(results):
    before = sorted(results.rglob("*"))
    load_all(results)
    assert sorted(results.rglob("*")) == before
