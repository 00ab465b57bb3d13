"""Columns of numbers and words as labels: one value, numbers in text, continuous factors."""

import numpy as np
import pytest

from disentangle.data.factor_values import MANY, ROWS_OF_MANY, read_factors


def read(*columns, names=None):
    array = np.stack([np.asarray(column) for column in columns], 1)
    return read_factors(array, names or [f"f{k}" for k in range(len(columns))])


def grid(*sizes):
    return np.stack(np.meshgrid(*map(range, sizes), indexing="ij"), -1).reshape(-1, len(sizes))


def test_unevenly_spaced_numbers_are_kept_behind_the_labels():
    found = read([1, 32, 4, 1], [10, 20, 30, 10])
    assert found.labels.tolist() == [[0, 0], [2, 1], [1, 2], [0, 0]]
    assert found.numbers == {"f0": (1.0, 4.0, 32.0)}
    assert found.values == {"f0": ("1", "4", "32"), "f1": ("10", "20", "30")}


def test_numbers_beside_words_are_numbers_again():
    found = read(["small", "large", "small"], [2, 10, 9])
    assert found.values == {"f0": ("large", "small"), "f1": ("2", "9", "10")}
    assert found.labels.tolist() == [[1, 0], [0, 2], [1, 1]]
    assert found.numbers == {"f1": (2.0, 9.0, 10.0)}


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", " 2", "10"], ("1", "2", "10")),
        (["-.5", "1e2", "+3."], ("-0.5", "3.0", "100.0")),
        (["2", "2.5", "10"], ("2.0", "2.5", "10.0")),
        (["1", "2", "ten"], ("1", "2", "ten")),
        (["1_0", "0x1", "3"], ("0x1", "1_0", "3")),
    ],
)
def test_text_is_a_number_only_if_all_of_the_column_is(texts, values):
    assert read(texts).values["f0"] == values


def test_objects_are_read_by_column():
    table = np.array([["cube", 2, 0.5], ["ball", 10, 1.5]], dtype=object)
    found = read_factors(table, ["shape", "x", "size"])
    assert found.values == {"shape": ("ball", "cube"), "x": ("2", "10"), "size": ("0.5", "1.5")}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.array([1.0, np.nan]), "got nan in row 1"),
        (np.array([1, None], object), "row 1 has no value"),
        (np.array(["a", np.nan], object), "row 1 has no value"),
        (np.array(["1", "2", ""]), "row 2 has no value"),
        (np.array([1, {}], object), "got dict in row 1"),
        (np.array([1j, 1]), "got complex128"),
    ],
)
def test_what_is_no_value_is_refused_with_its_row(column, message):
    with pytest.raises(ValueError, match=rf"column 0 \('f0'\).*{message}"):
        read(column)


def test_words_are_said_to_be_in_alphabetical_order():
    found = read(["red", "green", "blue"], ["yes", "no", "no"], [1, 2, 3], names=["hue", "on", "x"])
    assert "ordered alphabetically (hue: blue, green, red)" in found.remark
    assert read([1, 2, 3]).remark == ""


def test_real_numbers_that_differ_by_rounding_are_one_value():
    k, second = np.divmod(np.arange(200) % 16, 2)
    found = read(np.where(second, k * 0.1, k / 10))
    assert found.values["f0"] == ("0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7")
    assert found.labels[:, 0].tolist() == k.tolist()
    single = np.where(second, (k / 10).astype(np.float32), k / 10)
    assert read(single).labels[:, 0].tolist() == k.tolist()
    around_zero = np.where(second, k * 0.1 - 0.3, (k - 3) / 10)
    assert read(around_zero).labels[:, 0].tolist() == k.tolist()


@pytest.mark.parametrize(
    "values",
    [
        10.0 ** np.arange(-9, 1),
        1.7e9 + np.arange(8) / 8,
        2.0 ** np.arange(40),
        np.array([0, 1e-12, 1.0]),
    ],
    ids=["powers", "times", "octaves", "tiny"],
)
def test_real_numbers_that_differ_by_more_stay_apart(values):
    found = read(np.tile(values, 5))
    assert found.labels.max() + 1 == len(values)


def angles(count, repeats):
    return np.repeat(np.random.default_rng(0).uniform(0, 360, count), repeats)


@pytest.mark.parametrize(
    "column",
    [
        angles(10_000, 1),
        angles(3_000, 3),
        angles(10_000, 1).round(1),
        (angles(10_000, 1) * 1000).astype(int),
        (angles(3_000, 3) * 1000).astype(int).astype(str),
        angles(30, 1),
    ],
    ids=["raw", "three times", "to 0.1 degree", "millidegrees", "as text", "few rows"],
)
def test_continuous_factor_is_refused_with_a_remedy(column):
    half = np.arange(len(column)) % 2
    with pytest.raises(
        ValueError, match=r"column 1 \('f1'\) is continuous: .*`np.digitize"
    ) as told:
        read_factors(np.array([half, column], object).T, ["f0", "f1"])
    remedy = str(told.value).split("`")[1]
    x = column.astype(float)
    bins = eval(remedy, {"np": np, "x": x})
    assert bins.max() == 19
    assert read(half, bins).labels.shape == (len(column), 2)


def test_rule_is_the_number_of_rows_per_value():
    column = np.arange((MANY + 1) * ROWS_OF_MANY) % (MANY + 1)
    read(column)
    with pytest.raises(ValueError, match=r"51 values in 509 rows.* 50 values needs 10 rows"):
        read(column[:-1])
    read(np.arange(MANY))  # few values may be alone


def test_whole_numbers_of_a_grid_may_have_few_rows():
    assert read_factors(grid(80, 3), ["who", "view"]).labels.tolist() == grid(80, 3).tolist()
    with pytest.raises(ValueError, match=r"'who'.* is continuous"):
        read_factors(grid(80, 3)[:-1], ["who", "view"])
    with pytest.raises(ValueError, match=r"'who'.* is continuous"):
        read_factors(grid(80, 3) + np.array([0.25, 0]), ["who", "view"])


def test_numbers_with_few_rows_are_continuous_where_that_is_allowed():
    x = angles(500, 1)
    found = read_factors(np.stack([np.arange(500) % 2, x], 1), ["half", "x"], real=True)
    assert (found.kinds, found.real, found.sizes) == (
        {"x": "continuous"},
        {"x"},
        {"half": 2, "x": 500},
    )
    assert (np.array(found.numbers["x"])[found.labels[:, 1]] == x).all()
    assert (found.values["x"], found.remark) == ((), "")


def test_whole_numbers_taken_as_continuous_are_remarked():
    found = read_factors(np.arange(90)[:, None], ["id"], real=True)
    assert "the whole numbers of id have too few rows" in found.remark
    both = np.stack([np.array(["a", "b", "c"])[np.arange(90) % 3], np.arange(90)], 1)
    remark = read_factors(both, ["word", "id"], real=True).remark
    assert remark.startswith("text values are")
    assert ". The whole numbers of id" in remark
    same = read_factors(np.arange(90)[:, None], ["id"], real=True, kinds={"id": "categorical"})
    assert (same.remark, same.kinds, same.sizes) == ("", {}, {"id": 90})


def test_words_with_few_rows_are_refused_also_where_numbers_are_continuous():
    words = np.array([f"{i}a" for i in range(90)])[:, None]
    with pytest.raises(ValueError, match=r"'id'.* too few rows .* give it the kind 'categorical'"):
        read_factors(words, ["id"], real=True)
    same = read_factors(words, ["id"], real=True, kinds={"id": "categorical"})
    assert same.sizes == {"id": 90}


def test_cyclic_numbers_are_within_their_period():
    found = read_factors(np.array([[0], [90], [360], [-90]]), ["a"], kinds={"a": "cyclic=360"})
    assert found.values == {"a": ("0", "90", "270")}
    assert found.labels[:, 0].tolist() == [0, 1, 0, 2]
    assert (found.kinds, found.real) == ({"a": "cyclic=360"}, set())


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"b": "ordinal"}, "kinds: no factor 'b'"),
        ({"a": "round"}, "kinds: 'a': expected a kind of factor"),
        ({"a": "ordinal"}, "expected numbers of a factor that is ordinal, got words"),
    ],
)
def test_kinds_that_do_not_fit_are_refused(kinds, message):
    with pytest.raises(ValueError, match=message):
        read_factors(np.array([["x"], ["y"]]), ["a"], kinds=kinds)


@pytest.mark.parametrize("values", [[1, None, 2], [1.5, float("nan"), 2], ["a", None, "b"]])
def test_missing_value_of_a_data_frame_is_named(values):
    pandas = pytest.importorskip("pandas")
    column = np.asarray(pandas.Series(values).convert_dtypes(), object)
    with pytest.raises(ValueError, match=r"'x'\): row 1 has no value; leave out such rows"):
        read_factors(column[:, None], ["x"], real=True)
