"""Tables: seeds together, protocols apart, and nothing averaged as if it were whole."""

import csv
import io
import shutil
import subprocess
import sys

import pytest
from helpers.table_texts import texts

from disentangle.runs.run import Run
from disentangle.runs.score_records import FactorDependence
from disentangle.runs.scores import read_scores
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.export import write_scores


def test_seeds_of_a_configuration_are_one_row(variant):
    runs = [variant(f"s{i}", seed=i, values=[{"value": v}]) for i, v in enumerate((0.1, 0.2, 0.6))]
    (table,) = make_tables(runs)
    assert table.sheet.head == ["model", "settings", "chosen", "steps", "seeds", "mig"]
    row = ["beta-vae", "beta=2.0, batch_size=8", "by hand", "5", "3", "0.300 ± 0.265"]
    assert texts(table) == [row]
    assert "Mean over seeds ± standard deviation." in table.caption
    assert "Use at least 10 seeds before claiming a difference." in table.caption


def test_configurations_are_rows_of_their_own(variant):
    runs = [
        variant("a", values=[{"value": 0.1}]),
        variant("b", values=[{"value": 0.2}], knobs={"beta": 9.0}),
    ]
    (table,) = make_tables(runs)
    assert [row[1] for row in texts(table)] == ["beta=2.0", "beta=9.0"]
    assert [row[-1] for row in texts(table)] == ["0.100", "0.200"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"knobs": {"bins": 40}}, "bins=40"),
        ({"protocol": "disjoint"}, "disjoint"),
        ({"representation": "sample"}, "sample"),
        ({"representation": "mean, pca:10"}, "mean, pca:10"),
        ({"version": 2}, "v2"),
        ({"factors": ("x",)}, "x"),
        ({"view": {"split": "test"}}, "split test"),
        ({"seed": 7}, "metric seed 7"),
        ({"metric": "gim"}, "gim"),
        ({"fingerprint": "f" * 64}, "dataset ffffffffff"),
    ],
    ids=str,
)
def test_another_meaning_is_another_column_that_says_the_difference(variant, change, said):
    runs = [
        variant("a", seed=0, values=[{"value": 0.25}]),
        variant("b", seed=1, values=[{"value": 0.75, **change}]),
    ]
    (table,) = make_tables(runs)
    assert len(table.columns) == 2
    assert f"mig [{said}]" in table.columns.values()
    assert {"0.250 (1 of 2 runs)", "0.750 (1 of 2 runs)"} == set(texts(table)[0][5:])


def test_caption_names_a_reduction(variant):
    values = [{"value": 0.25}, {"value": 0.5, "representation": "mean, pca:10"}]
    (table,) = make_tables([variant("a", values=values)])
    assert "Codes: means of the posterior, some reduced by pca:10." in table.caption


def test_run_named_twice_or_copied_is_one_run(variant, tmp_path):
    run = variant("a", values=[{"value": 0.1}])
    copy = Run(shutil.copytree(run.path, tmp_path / "copy"), run.record)
    (table,) = make_tables([run, run, copy])
    assert texts(table)[0][4:] == ["1", "0.100"]


def test_other_data_is_another_table(variant):
    runs = [
        variant("a", values=[{"value": 0.1}]),
        variant("b", values=[{"value": 0.2}], fingerprint="f" * 64),
    ]
    assert len(make_tables(runs)) == 2


def test_unscored_and_unfinished_runs_are_seen(variant):
    runs = [
        variant("a", seed=0, values=[{"value": 0.1}]),
        variant("b", seed=1),
        variant("c", seed=2, finished=False),
    ]
    (table,) = make_tables(runs)
    assert texts(table)[0][4:] == ["2 (+1 unfinished)", "0.100 (1 of 2 runs)"]


def test_score_that_could_not_be_had_says_why(variant):
    runs = [variant("a", values=[{"value": None, "reason": "no labels"}])]
    (table,) = make_tables(runs)
    assert texts(table)[0][-1] == "n/a"
    assert "mig: n/a: no labels." in table.caption


DCI = {"metric": "dci"}
PARTS = [
    {"name": f"dci/{part}", "value": 0.5, **DCI} for part in ("disentanglement", "completeness")
]
ABSENT = {"name": "dci", "value": None, "reason": "too many latents", **DCI}


def test_metric_that_is_not_available_says_so_in_the_column_of_each_of_its_scores(variant):
    with_scores = variant("a", values=PARTS)
    without = variant("b", values=[ABSENT], knobs={"beta": 3.0})
    controls = {
        name: list(read_scores(run)) for name, run in [("pca", with_scores), ("pixels", without)]
    }
    (table,) = make_tables([with_scores, without], controls)
    assert [heading for heading in table.columns.values()] == [
        "dci/completeness",
        "dci/disentanglement",
    ]
    found, absent = ["0.500", "0.500"], ["n/a", "n/a"]
    assert [row[-2:] for row in texts(table)] == [found, absent, found, absent]
    reason = "dci/completeness, dci/disentanglement of pixels: n/a: too many latents."
    assert reason in table.caption


def test_metric_that_no_baseline_has_is_left_out_of_their_rows(variant):
    with_scores = variant("a", values=[*PARTS, {"value": 0.3}])
    without = variant("b", values=[ABSENT, {"value": 0.3}])
    controls = {name: list(read_scores(without)) for name in ("noise", "pixels")}
    (table,) = make_tables([with_scores], controls)
    assert [row[-3:] for row in texts(table)[-2:]] == [["", "", "0.300"]] * 2
    assert "too many latents" not in table.caption


def test_part_of_a_metric_that_is_not_available_leaves_the_others(variant):
    own = {"name": "dci", "value": None, "reason": "no labels", **DCI}
    runs = [
        variant("a", values=[{**own, "value": 0.2, "reason": None}, *PARTS]),
        variant("b", values=[own, *PARTS], knobs={"beta": 3.0}),
    ]
    (table,) = make_tables(runs)
    assert [row[-3:] for row in texts(table)] == [
        ["0.200", "0.500", "0.500"],
        ["n/a", "0.500", "0.500"],
    ]


def test_seed_without_a_metric_is_counted_in_each_of_its_columns(variant):
    runs = [variant("a", values=PARTS), variant("b", seed=1, values=[ABSENT])]
    (table,) = make_tables(runs)
    assert texts(table)[0][-2:] == ["0.500 (1 of 2 runs)"] * 2


def test_metric_that_is_not_available_to_any_row_has_one_column(variant):
    (table,) = make_tables([variant("a", values=[ABSENT])])
    assert list(table.columns.values()) == ["dci"]
    assert "dci: n/a: too many latents." in table.caption


def test_score_of_other_weights_is_not_shown(variant):
    (table,) = make_tables([variant("a", values=[{"value": 0.1, "weights": "0" * 64}])])
    assert table.sheet.head[5:] == []


def test_written_tables(variant, tmp_path):
    runs = [variant("a", values=[{"value": 0.125}])]
    write_scores(make_tables(runs), runs, tmp_path)
    text = (tmp_path / "scores.md").read_text()
    assert "| beta-vae | beta=2.0, batch_size=8 | by hand | 5     | 1     | 0.125 |" in text
    assert "fingerprint" in text
    (row,) = csv.DictReader(io.StringIO((tmp_path / "scores.csv").read_text()))
    assert (row["score"], row["value"], row["protocol"]) == ("mig", "0.125", "locatello2019")
    assert (row["model"], row["run_seed"], row["metric_seed"]) == ("beta-vae", "0", "0")


def test_lone_column_says_what_is_unusual_about_it(variant):
    odd = {"knobs": {"bins": 40}, "representation": "sample", "seed": 5, "factors": ("x",)}
    (table,) = make_tables([variant("a", values=[{"value": 0.5, **odd}])])
    (heading,) = table.columns.values()
    assert heading == "mig [bins=40; sample; x; metric seed 5]"
    assert "Protocol: locatello2019. Codes: samples of the posterior." in table.caption


def test_columns_name_their_protocol_where_there_are_two(variant):
    values = [{"value": 0.5}, {"value": 0.5, "name": "sap", "metric": "sap", "protocol": "mine"}]
    (table,) = make_tables([variant("a", values=values)])
    assert set(table.columns.values()) == {"mig [locatello2019]", "sap [mine]"}


def test_overlap_of_test_images_and_those_fitted_on_is_said(variant):
    (table,) = make_tables([variant("a", values=[{"value": 0.5, "overlap": 0.431}])])
    assert "Up to 43 % of a metric's test images were also in its training sample." in table.caption
    (table,) = make_tables([variant("b", values=[{"value": 0.5}])])
    assert "fitted on" not in table.caption


def test_dependence_of_factors_is_said(variant):
    less, more = (
        FactorDependence(factors=("x", name), v=v) for name, v in (("y", 0.3), ("z", 0.62))
    )
    values = [
        {"value": 0.5, "dependence": less},
        {"value": 0.5, "name": "sap", "metric": "sap", "dependence": more},
    ]
    (table,) = make_tables([variant("a", values=values)])
    assert (
        "Factors depend on each other (Cramér's V of x and z: 0.62), so that even perfect codes "
        "may score below 1; the baseline `oracle` shows by how much."
    ) in table.caption
    (table,) = make_tables([variant("b", values=[{"value": 0.5}])])
    assert "depend on each other" not in table.caption


def test_failed_runs_are_told_from_unfinished_ones(variant):
    runs = [
        variant("a", seed=0, values=[{"value": 0.1}]),
        variant("b", seed=1, finished=False),
        variant("c", seed=2, finished=False, record={"failed": "'kl' is not finite at step 3"}),
    ]
    (table,) = make_tables(runs)
    assert texts(table)[0][4] == "1 (+1 unfinished, 1 failed)"


def test_models_that_use_labels_say_so_and_come_last(variant):
    runs = [
        variant("a", values=[{"value": 0.9}], record={"model": "ada-gvae", "supervision": None}),
        variant("b", values=[{"value": 0.1}]),
    ]
    (table,) = make_tables(runs)
    column = table.sheet.head.index("labels used")
    assert [(row[0], row[column]) for row in texts(table)] == [
        ("beta-vae", ""),
        ("ada-gvae", "pairs that share factors"),
    ]


def test_rows_are_sorted_by_number_and_not_by_word(variant):
    runs = [variant(str(beta), knobs={"beta": beta}) for beta in (16.0, 2.0, 4.0)]
    (table,) = make_tables(runs)
    assert [row.settings["beta"] for row in table.rows] == [2.0, 4.0, 16.0]


def test_what_all_models_share_is_said_once(variant):
    runs = [variant(str(beta), knobs={"beta": beta}) for beta in (2.0, 4.0)]
    (table,) = make_tables(runs)
    assert [row[1] for row in texts(table)] == ["beta=2.0", "beta=4.0"]
    assert "Shared settings: batch_size=8." in table.caption


def test_values_come_in_the_order_of_their_seeds(variant):
    runs = [variant(f"s{i}", seed=i, values=[{"value": i / 10}]) for i in (2, 0, 1)]
    (table,) = make_tables(runs)
    table.every_seed = True
    assert texts(table)[0][-1] == "0.100 (0.000, 0.100, 0.200)"
    assert "Mean over seeds (value of each seed)." in table.caption


def test_what_all_rows_of_a_model_share_is_said_once(variant):
    runs = [variant(f"a{beta}", knobs={"beta": beta}) for beta in (2.0, 4.0)]
    runs.append(variant("v", record={"model": "vae"}, knobs={"beta": 4.0, "kl_warmup": 9}))
    tcvae = {"model": "beta-tcvae"}
    runs += [variant(f"t{w}", record=tcvae, knobs={"beta": 4.0, "kl_warmup": w}) for w in (3, 5)]
    (table,) = make_tables(runs)
    assert [row[1] for row in texts(table)[:2]] == ["kl_warmup=3", "kl_warmup=5"]
    assert "Shared settings of beta-tcvae: beta=4.0." in table.caption


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.12345,), "0.123"),
        ((112.345, 99.0), "105.7 ± 9.4"),
        ((17.0, 18.5), "17.75 ± 1.06"),
        ((123456.0,), "1.235e+05"),
    ],
)
def test_numbers_of_a_cell_have_the_decimals_of_its_centre(variant, values, text):
    runs = [variant(f"s{i}", seed=i, values=[{"value": v}]) for i, v in enumerate(values)]
    (table,) = make_tables(runs)
    assert texts(table)[0][-1] == text


@pytest.mark.parametrize(
    ("values", "text", "every"),
    [
        ((10.0,), "10", "10"),
        ((10.0, 10.0, 10.0), "10 ± 0", "10 (10, 10, 10)"),
        ((4.0, 4.0, 5.0), "4.3 ± 0.6", "4.3 (4, 4, 5)"),
    ],
)
def test_counts_are_shown_as_counts(variant, values, text, every):
    score = {"metric": "elbo", "name": "elbo/active-units"}
    runs = [variant(f"s{i}", seed=i, values=[{**score, "value": v}]) for i, v in enumerate(values)]
    (table,) = make_tables(runs)
    assert texts(table)[0][-1] == text
    table.every_seed = True
    assert texts(table)[0][-1] == every


def test_other_scored_factors_are_another_table(variant):
    runs = [variant("a"), variant("b", view={"factors": ("x", "y")})]
    assert [table.dataset for table in make_tables(runs)] == ["tiny", "tiny, factors x+y"]


def test_seed_that_was_trained_twice_counts_once_and_is_told(variant):
    runs = [variant("a", values=[{"value": 0.1}])]
    runs.append(variant("b", values=[{"value": 0.3}], record={"weights": "0" * 64}))
    (table,) = make_tables(runs)
    assert texts(table)[0][4] == "1"
    assert (
        "Not shown: 1 run with the settings and seed of a shown run, but other final weights."
        in table.caption
    )


def test_copy_without_scores_hides_none(variant):
    runs = [variant("b"), variant("a", values=[{"value": 0.1}])]
    assert texts(make_tables(runs)[0])[0][-1] == "0.100"


def test_versions_are_told_where_they_differ(variant):
    runs = [variant("a"), variant("b", record={"model_version": 2})]
    (table,) = make_tables(runs)
    assert {row[1] for row in texts(table)} == {"version=1.1", "version=2.1"}


def test_table_of_records_imports_no_heavy_package(variant):
    elbo = {"metric": "elbo", "name": "elbo/total"}
    for seed in range(5):
        run = variant(f"s{seed}", seed=seed, values=({"value": seed / 10}, {**elbo, "value": seed}))
    code = (
        "import sys\nfrom disentangle.cli.app import main\n"
        f"sys.argv = ['disentangle', 'table', '--results', {str(run.path.parent)!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "elbo/total" in result.stdout
