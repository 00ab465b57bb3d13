"""The runs that differ only in the seed."""

from pathlib import Path

from disentangle.runs.named import load_run
from disentangle.runs.siblings import siblings


def test_siblings_differ_in_the_seed_alone_and_are_finished(variant):
    mine = variant("mine", seed=5)
    variant("other", seed=0)
    variant("beta", seed=1, knobs={"beta": 8.0})
    variant("images", seed=2, fingerprint="f" * 64)
    variant("unfinished", seed=3, finished=False)
    by_seed = siblings(mine)
    assert list(by_seed) == [0, 5]
    assert by_seed[5] is mine
    assert by_seed[0].path.name == "other"


def test_unfinished_run_is_among_its_own_siblings(variant):
    variant("other", seed=0)
    assert list(siblings(variant("mine", seed=1, finished=False))) == [0, 1]


def test_paths_are_relative_where_that_of_the_run_is(variant, monkeypatch, tmp_path):
    made = [variant(name, seed=seed) for seed, name in enumerate(("first", "second"))]
    monkeypatch.chdir(made[0].path.parent)
    assert siblings(load_run(Path("first")))[1].path == Path("second")
    monkeypatch.chdir(made[0].path)
    assert siblings(load_run(Path()))[1].path == made[1].path
    link = tmp_path / "link"
    link.symlink_to(made[0].path)
    assert siblings(load_run(link))[1].path == made[1].path
