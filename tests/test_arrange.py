"""Tables as their reader wants them, and what --strict refuses."""

import pytest

from disentangle.arrange import check_strictly, keep_columns, sort_rows
from disentangle.errors import UsageError
from disentangle.table import make_tables


def made(variant):
    bound = {"name": "elbo/total", "metric": "elbo"}
    scores = {2.0: (0.3, 50.0), 4.0: (0.1, 40.0), 16.0: (0.2, 60.0)}
    runs = [
        variant(str(b), knobs={"beta": b}, values=[{"value": mig}, {"value": total, **bound}])
        for b, (mig, total) in scores.items()
    ]
    return make_tables(runs)


@pytest.mark.parametrize(
    ("names", "betas"),
    [
        (["mig"], [2.0, 16.0, 4.0]),
        (["elbo/total"], [4.0, 2.0, 16.0]),
        (["beta"], [2.0, 4.0, 16.0]),
        (["steps", "mig"], [2.0, 16.0, 4.0]),
    ],
)
def test_rows_are_sorted_by_scores_best_first_or_by_knobs(variant, names, betas):
    tables = made(variant)
    sort_rows(tables, names)
    assert [row.settings["beta"] for row in tables[0].rows] == betas


def test_columns_are_kept_by_name_or_pattern(variant):
    tables = made(variant)
    keep_columns(tables, ["elbo/*"])
    assert list(tables[0].columns.values()) == ["elbo/total"]


def test_unknown_names_are_refused(variant):
    tables = made(variant)
    with pytest.raises(UsageError, match=r"--columns: no score 'mgi'; did you mean 'mig'"):
        keep_columns(tables, ["mgi"])
    with pytest.raises(UsageError, match=r"--sort: no column 'bet'; did you mean 'beta'"):
        sort_rows(tables, ["bet"])


def test_strictly_one_score_means_one_thing(variant):
    check_strictly(make_tables([variant("a", values=[{"value": 0.1}])]))
    two = [{"value": 0.1}, {"value": 0.2, "protocol": "disjoint"}]
    with pytest.raises(UsageError, match=r"mig means several things: mig \[disjoint\], mig \[loc"):
        check_strictly(make_tables([variant("b", values=two)]))


def test_strictly_one_dataset_is_one_dataset(variant):
    tables = make_tables([variant("a"), variant("b", fingerprint="f" * 64)])
    assert {table.dataset.split(", ")[1] for table in tables} >= {"f" * 10}
    with pytest.raises(UsageError, match="'tiny' has several fingerprints"):
        check_strictly(tables)
