"""The key of a score's column: what scores share that may be compared."""

import pytest

from disentangle.runs.score_records import ColumnKey, DetailRecord

KEY = ColumnKey(
    score="dci/completeness",
    metric="dci",
    version=1,
    knobs=(("train", 100),),
    protocol="locatello2019",
    representation="mean",
    factors=("x", "y"),
    view=(("factors", ("x", "y")), ("split", "test")),
    fingerprint="f" * 64,
    seed=0,
)


@pytest.mark.parametrize(
    "change",
    [
        {"knobs": ()},
        {"protocol": "disjoint"},
        {"representation": "sample"},
        {"factors": ("x",)},
        {"view": (("split", "test"),)},
    ],
    ids=str,
)
def test_columns_that_differ_in_protocol_alone_are_one_family(change):
    assert KEY._replace(**change) != KEY
    assert KEY._replace(**change).family == KEY.family


@pytest.mark.parametrize(
    "change", [{"metric": "dci-lgbm"}, {"version": 2}, {"seed": 1}, {"view": ()}], ids=str
)
def test_other_columns_are_another_family(change):
    assert KEY._replace(**change).family != KEY.family


def test_meaning_does_not_depend_on_the_dataset():
    other = KEY._replace(fingerprint="0" * 64, view=(), factors=("shape",))
    assert other.meaning == KEY.meaning
    assert KEY._replace(version=2).meaning != KEY.meaning


def test_conditions_do_not_depend_on_the_metric():
    assert KEY._replace(score="mig", metric="mig", knobs=()).conditions == KEY.conditions
    assert KEY._replace(representation="sample").conditions != KEY.conditions


def test_older_details_that_do_not_say_what_they_are_are_read():
    detail = DetailRecord.model_validate_json('{"axes": ["latent"], "values": [1.0, null]}')
    assert (detail.values, detail.about) == ([1.0, None], "")
