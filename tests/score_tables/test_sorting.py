"""Tables as their reader wants them, and what --strict refuses."""

import pytest

from disentangle.errors import UsageError
from disentangle.score_tables.build import make_tables
from disentangle.score_tables.sorting import check_strictly, sort_rows


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


def test_columns_are_kept_by_name_or_pattern_and_the_caption_speaks_of_them(variant):
    sap = {"name": "sap", "metric": "sap", "protocol": "disjoint", "representation": "sample"}
    runs = [variant("a", values=[{"value": 0.1}, {"value": 0.2, **sap}])]
    (table,) = make_tables(runs, columns=["mi*"])
    assert list(table.columns.values()) == ["mig"]
    assert "Protocol: locatello2019. Codes: means of the posterior." in table.caption
    with pytest.raises(UsageError, match=r"per option: --columns MIG --columns dci$"):
        make_tables(runs, columns=["MIG,dci"])
    with pytest.raises(UsageError, match=r"--columns: no column 'mgi'; did you mean 'mig'"):
        make_tables(runs, columns=["mgi"])


def test_unknown_and_ambiguous_orders_are_refused(variant):
    with pytest.raises(UsageError, match=r"--sort: no column 'bet'; did you mean 'beta'"):
        sort_rows(made(variant), ["bet"])
    two = [{"value": 0.1}, {"value": 0.2, "protocol": "disjoint"}]
    with pytest.raises(UsageError, match="--sort mig: matches several columns"):
        sort_rows(make_tables([variant("b", values=two)]), ["mig"])


def test_rows_at_a_default_are_sorted_among_the_others(variant):
    runs = [variant(str(n), knobs={"latents": n}) for n in (20, 10, 5)]
    tables = make_tables(runs)
    sort_rows(tables, ["latents"])
    assert [row.every["latents"] for row in tables[0].rows] == [5, 10, 20]


def test_strictly_one_score_means_one_thing_over_datasets(variant):
    a = variant("a", values=[{"value": 0.1}])
    b = variant("b", values=[{"value": 0.1, "version": 2}], fingerprint="f" * 64)
    with pytest.raises(UsageError, match="mig was computed in several ways over datasets"):
        check_strictly(make_tables([a, b]))


def test_strictly_one_score_means_one_thing(variant):
    check_strictly(make_tables([variant("a", values=[{"value": 0.1}])]))
    two = [{"value": 0.1}, {"value": 0.2, "protocol": "disjoint"}]
    with pytest.raises(
        UsageError, match=r"mig was computed in several ways: mig \[disjoint\], mig \[loc"
    ):
        check_strictly(make_tables([variant("b", values=two)]))


def test_strictly_one_dataset_is_one_dataset(variant):
    tables = make_tables([variant("a"), variant("b", fingerprint="f" * 64)])
    assert {table.dataset.split(", ")[1] for table in tables} >= {"f" * 10}
    with pytest.raises(UsageError, match="the images of 'tiny' differ"):
        check_strictly(tables)
