"""External encoders in tables: rows of their own, marked, never ranked, and never averaged in."""

import csv
import io
import json

import pytest
from helpers.table_texts import texts

from disentangle.runs.scores import read_scores
from disentangle.score_tables import export
from disentangle.score_tables.build import make_tables, tables
from disentangle.score_tables.paper import paper_sheets
from disentangle.score_tables.sorting import sort_rows


@pytest.fixture
def both(variant, external):
    """A run that scores 0.1, and an external encoder that scores 0.9."""
    return [variant("a", values=[{"value": 0.1}])], [external("mine", values=[{"value": 0.9}])]


def made(both, **options):
    return make_tables(both[0], externals=both[1], **options)


def test_encoder_is_a_marked_row_without_steps_and_seeds(both):
    (table,) = made(both)
    run, mine = texts(table)
    assert run[0] == "beta-vae"
    assert mine == ["mine (external)", "mine.py:encode", "", "", "", "0.900"]
    assert "External: not trained here; such rows are never ranked." in table.caption
    assert "Baselines" not in table.caption


def test_encoders_of_one_name_are_a_mean_over_seeds(external):
    externals = [external("mine", seed=i, values=[{"value": v}]) for i, v in enumerate((0.2, 0.4))]
    (table,) = make_tables([], externals=externals)
    assert texts(table) == [["mine (external)", "mine.py:encode", "2", "0.300 ± 0.141"]]
    assert "Mean over seeds" in table.caption


def test_score_that_an_encoder_of_a_name_lacks_is_counted(external):
    externals = [external("mine", seed=0, values=[{"value": 0.2}])]
    externals.append(external("mine", seed=1, values=[{"value": 0.5, "name": "other"}]))
    (table,) = make_tables([], externals=externals)
    assert texts(table)[0][-2:] == ["0.200 (1 of 2 runs)", "0.500 (1 of 2 runs)"]


def test_best_encoder_is_not_ranked_and_hinders_no_ranking(variant, external):
    runs = [
        variant(f"{beta}-{seed}", seed=seed, knobs={"beta": beta}, values=[{"value": value}])
        for beta, base in ((1.0, 0.1), (9.0, 0.5))
        for seed in range(5)
        for value in [base + seed / 100]
    ]
    mine = [external("mine", seed=i, values=[{"value": 0.9 + i / 100}]) for i in range(5)]
    (table,) = make_tables(runs, externals=mine)
    assert [row.model for row in table.rows if row.best] == ["beta-vae"]
    assert not table.rows[-1].best


def test_score_of_another_protocol_is_in_a_column_of_its_own(variant, external):
    run = variant("a", values=[{"value": 0.1}])
    mine = external("mine", values=[{"value": 0.9, "protocol": "disjoint"}])
    (table,) = make_tables([run], externals=[mine])
    assert [row[-2:] for row in texts(table)] == [["", "0.100"], ["0.900", ""]]


def test_score_on_another_part_is_in_a_table_of_its_own(variant, external):
    run = variant("a", values=[{"value": 0.1}])
    mine = external("mine", values=[{"value": 0.9, "view": {"split": "test"}}])
    titles = [table.dataset for table in make_tables([run], externals=[mine])]
    assert titles == ["tiny", "tiny, split test, external"]


def test_score_on_other_images_is_in_a_table_of_its_own(variant, external):
    run = variant("a", values=[{"value": 0.1}])
    mine = external("mine", values=[{"value": 0.9}], fingerprint="f" * 64)
    titles = [table.dataset for table in make_tables([run], externals=[mine])]
    assert titles == [f"tiny, {run.record.data[2][:10]}", "tiny, ffffffffff, external"]


def test_encoder_joins_the_images_on_which_runs_were_scored(variant, external):
    test = {"view": {"split": "test"}}
    run = variant("a", values=[{"value": 0.1, **test}])
    mine = external("mine", values=[{"value": 0.9, **test}, {"value": 0.8}])
    joined, alone = make_tables([run], externals=[mine])
    assert [row[-1] for row in texts(joined)] == ["0.100", "0.900"]
    assert [row[-1] for row in texts(alone)] == ["0.800"]


def test_encoder_joins_runs_that_are_not_scored_yet(variant, external):
    (table,) = make_tables([variant("a")], externals=[external("mine", values=[{"value": 0.9}])])
    assert [row[0] for row in texts(table)] == ["beta-vae", "mine (external)"]


def test_given_codes_are_marked_as_unchecked(variant, external):
    codes = external("codes", values=[{"value": 0.9}], kind="codes")
    (table,) = make_tables([variant("a", values=[{"value": 0.1}])], externals=[codes])
    assert "Codes given, images not checked: codes." in table.caption


def test_columns_of_encoders_can_be_chosen(variant, external):
    mine = external("mine", values=[{"value": 0.9}, {"value": 0.7, "name": "other"}])
    run = variant("a", values=[{"value": 0.1}])
    (table,) = make_tables([run], externals=[mine], columns=["other"])
    assert [row[-1] for row in texts(table)] == ["", "0.700"]


def test_sorting_leaves_encoders_in_their_place(variant, external):
    runs = [
        variant(f"{beta}", knobs={"beta": beta}, values=[{"value": beta / 10}])
        for beta in (1.0, 2.0)
    ]
    found = make_tables(runs, externals=[external("mine", values=[{"value": 0.15}])])
    sort_rows(found, ["mig"])
    assert [row[-1] for row in texts(found[0])] == ["0.200", "0.100", "0.150"]


def test_baselines_are_told_from_encoders(both):
    (table,) = make_tables(both[0], {"pca": read_scores(both[0][0])}, externals=both[1])
    assert [row.name for row in table.rows] == ["beta-vae", "mine (external)", "pca"]
    assert "Baselines: pca." in table.caption


def test_copy_of_an_encoder_counts_once(both):
    (table,) = make_tables(both[0], externals=[*both[1], *both[1]])
    assert texts(table)[-1][-1] == "0.900"


def test_encoder_has_no_constants_of_runs_and_hides_none(both):
    (table,) = made(both)
    fewer, constants = table.sheet.without_constants()
    assert "5 steps" in constants
    assert [cell.text for cell in fewer.body[1]] == ["mine (external)", "mine.py:encode", "0.900"]


def test_encoder_is_external_in_every_format(both):
    found = made(both)
    csv_rows = list(csv.DictReader(io.StringIO(export.as_csv(found))))
    assert [row["external"] for row in csv_rows] == ["False", "True"]
    rows = json.loads(export.as_json(found))["tables"][0]["rows"]
    assert [(row["external"], row["baseline"], row["steps"]) for row in rows] == [
        (False, False, 5),
        (True, False, None),
    ]
    assert r"mine (external) & mine.py:encode & 0.900 \\" in export.as_latex(found)
    lines = csv.DictReader(io.StringIO(export.as_long_csv([*both[0], *both[1]])))
    assert [(line["model"], line["steps"]) for line in lines] == [
        ("beta-vae", "5"),
        ("mine (external)", ""),
    ]


def test_caption_for_a_paper_says_over_how_many_seeds_encoders_are(external):
    externals = [external("mine", seed=i, values=[{"value": v}]) for i, v in enumerate((0.2, 0.4))]
    (table,) = make_tables([], externals=externals)
    assert "Mean over 2 seeds ± standard deviation." in paper_sheets(table)[0].brief


def test_tables_of_a_folder_show_its_encoders(both):
    (table,) = tables(both[0][0].path.parent)
    assert [row.name for row in table.rows] == ["beta-vae", "mine (external)"]
