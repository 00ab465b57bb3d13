"""`--all-seeds`: the runs of a configuration, in all commands that take runs."""

import shutil
from pathlib import Path

import pytest
from conftest import registered

from disentangle.runs.named import load_run
from disentangle.runs.scores import read_scores
from disentangle.training.train import train

OPTIONS = {"steps": 5, "batch_size": 8, "device": "cpu", "figures": False}


@pytest.fixture(scope="module")
def trained_seeds(strangers_folder, tmp_path_factory):
    """Results with two seeds of a configuration and another run, not to be changed."""
    results = tmp_path_factory.mktemp("seeds") / "results"
    with registered(strangers_folder):
        for seed, beta in ((0, 2.0), (1, 2.0), (0, 3.0)):
            train("beta-vae", "tiny", beta=beta, seed=seed, results=results, **OPTIONS)
    return results


@pytest.fixture
def seeds(trained_seeds, strangers, tmp_path):
    """The paths of two runs that differ only in the seed, as commands print them."""
    shutil.copytree(trained_seeds, tmp_path / "results")
    runs = [load_run(path.parent) for path in (tmp_path / "results").rglob("run.json")]
    chosen = {run.record.seed: run for run in runs if run.record.knobs["beta"] == 2}
    return [chosen[seed].path.relative_to(tmp_path) for seed in (0, 1)]


def test_scores_are_computed_of_all_seeds(seeds, command):
    code, out, err = command("score", seeds[1], "--all-seeds", "--metric", "mig")
    assert code == 0, err
    assert f"{seeds[1]}: seeds 0, 1" in err
    assert all(f"{path}: mig" in err for path in seeds)
    assert all(read_scores(load_run(path)) for path in seeds)
    rows = [line.split("|") for line in out.splitlines() if line.startswith("| beta-vae")]
    assert [row[5].strip() for row in rows] == ["2"]


def test_table_has_the_row_of_the_configuration(seeds, command):
    command("score", "--metric", "mig")
    code, out, err = command("table", seeds[0].name, "--all-seeds", "--columns", "seeds")
    assert code == 0, err
    (row,) = [line for line in out.splitlines() if line.startswith("| beta-vae")]
    assert row.split("|")[2].strip() == "2"


def test_traversals_are_a_file_for_each_run_or_one_with_a_row_each(seeds, command):
    code, out, err = command("traverse", seeds[0], "--all-seeds", "--columns", 3)
    assert code == 0, err
    assert {Path(line).parents[1] for line in out.split()} == set(seeds)
    code, out, err = command("traverse", seeds[0], "--all-seeds", "--row", "side", "--columns", 3)
    assert code == 0, err
    assert Path(out.strip()).name.startswith("traversals-columns-3-rows-side-2-runs-")


@pytest.mark.parametrize("kind", ["reconstructions", "kl"])
def test_figures_of_one_run_are_drawn_of_each(seeds, command, kind):
    code, out, err = command("figure", kind, seeds[1], "--all-seeds")
    assert code == 0, err
    assert [Path(line).parents[1] for line in out.split()] == seeds
    code, _, err = command("figure", kind, seeds[1], "--all-seeds", "--output", "one.png")
    assert code == 2
    assert "--output requires a single run, got 2" in err


def test_report_is_of_all_seeds_and_of_no_other_run(seeds, command):
    code, out, err = command("report", seeds[1], "--all-seeds")
    assert code == 0, err
    assert out.strip() == str(seeds[1] / "report-all-seeds.html")
    page = (seeds[1] / "report-all-seeds.html").read_text()
    assert "beta=2" in page
    assert "beta=3" not in page
    code, _, err = command("report", "results", "--all-seeds")
    assert (code, "--all-seeds requires a single run" in err) == (2, True)


def test_udr_ranks_the_seeds_of_a_configuration(seeds, command):
    code, out, err = command("udr", seeds[0], "--all-seeds", "--samples", 20)
    assert code == 0, err
    assert all(str(path) in out for path in seeds)
    assert "beta=3" not in out


@pytest.mark.parametrize("verb", ["score", "table", "udr"])
def test_all_seeds_of_no_run_are_refused(seeds, command, verb):
    code, _, err = command(verb, "--all-seeds")
    assert code == 2
    assert "--all-seeds requires RUN" in err


def test_run_given_twice_is_used_once(seeds, command):
    code, out, err = command("udr", *seeds, "--all-seeds", "--samples", 20)
    assert code == 0, err
    assert out.count(str(seeds[0])) == 1
    assert err.count("seeds 0, 1") == 1
