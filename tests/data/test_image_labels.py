"""Labels of image files by a table beside them."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from disentangle.data import load_dataset
from disentangle.errors import DisentangleError

NAMES = [f"{i:02}.png" for i in range(60)]


@pytest.fixture
def photos(tmp_path):
    """A folder of 60 images, each of its own grey."""
    folder = tmp_path / "photos"
    (folder / "images").mkdir(parents=True)
    for i, name in enumerate(NAMES):
        Image.fromarray(np.full((32, 32), 4 * i, np.uint8)).save(folder / "images" / name)
    return folder


@pytest.fixture
def load(tmp_path):
    """A function that opens a path, with its own data folder."""
    return lambda path, **options: load_dataset(f"{path}", data_dir=tmp_path / "data", **options)


def write_csv(path, /, **columns):
    rows = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *rows]))


def greys(data):
    """Which image each one is."""
    return (data.images(np.arange(len(data)))[:, 0, 0, 0].numpy() // 4).tolist()


ORDER = np.random.default_rng(0).permutation(60)
ANGLES = np.random.default_rng(1).uniform(0, 360, 60).round(3)
COLUMNS = {
    "file_name": [f"images/{NAMES[i]}" for i in ORDER],
    "shape": np.array(["cube", "ball"])[ORDER % 2],
    "angle": ANGLES[ORDER],
}


def check(data):
    """The labels are those of the images, whatever the order of the table's rows."""
    assert (data.strength, data.factors) == ("labelled", {"shape": 2, "angle": 60})
    assert data.values["shape"] == ("ball", "cube")
    index = np.arange(60)
    labels = data.labels(index)
    assert greys(data) == index.tolist()
    assert (labels[:, 0] == 1 - index % 2).all()
    assert (np.asarray(data.numbers["angle"])[labels[:, 1]] == ANGLES).all()


@pytest.mark.parametrize("name", ["labels.csv", "metadata.tsv", "factors.parquet"])
def test_columns_of_a_table_are_the_factors_of_the_images_that_it_names(photos, load, name):
    path = photos / name
    if name.endswith("parquet"):
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(COLUMNS), path)
    else:
        write_csv(path, **COLUMNS)
        if name.endswith("tsv"):
            path.write_text(path.read_text().replace(",", "\t"))
    data = load(photos)
    check(data)
    assert data.kinds == {"angle": "continuous"}


@pytest.mark.parametrize("form", ["{}.png", "{}", "images\\{}.png"])
def test_file_is_named_with_or_without_its_folder_and_suffix(photos, load, form):
    names = [form.format(NAMES[i].removesuffix(".png")) for i in ORDER]
    write_csv(photos / "labels.csv", **COLUMNS | {"file_name": names})
    check(load(photos))


def test_column_of_files_is_known_by_their_suffix_too(photos, load):
    columns = {"which": COLUMNS["file_name"], "shape": COLUMNS["shape"], "angle": COLUMNS["angle"]}
    write_csv(photos / "labels.csv", **columns)
    check(load(photos))


def test_table_in_an_archive_is_read_too(photos, load, tmp_path):
    write_csv(photos / "labels.csv", **COLUMNS)
    (photos / "labels.csv.json").write_text(json.dumps({"kinds": {"angle": "cyclic=360"}}))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in photos.rglob("*.*"):
            archive.write(path, f"photos/{path.relative_to(photos)}")
    data = load(tmp_path / "photos.zip")
    check(data)
    assert data.kinds == {"angle": "cyclic=360"}


def test_changed_kind_is_prepared_again(photos, load):
    write_csv(photos / "labels.csv", **COLUMNS)
    first = load(photos)
    (photos / "labels.csv.json").write_text('{"kinds": {"angle": "cyclic=360"}}')
    other = load(photos)
    assert (first.kinds, other.kinds) == ({"angle": "continuous"}, {"angle": "cyclic=360"})
    assert first.fingerprint != other.fingerprint


def test_images_of_every_combination_are_a_grid(photos, load):
    x, y = ORDER % 6, ORDER // 6
    write_csv(photos / "labels.csv", image=[NAMES[i] for i in ORDER], x=x, y=y)
    data = load(photos)
    assert (data.strength, data.factors) == ("grid", {"x": 6, "y": 10})
    assert greys(data) == [6 * y + x for x in range(6) for y in range(10)]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_that_are_no_factors_and_rows_without_image_are_left_out(photos, load, form):
    more = {
        "file": [*NAMES, "61.png"],
        "shape": [i % 3 for i in range(61)],
        "number": range(61),
        "caption": [f"a cat {i}" for i in range(61)],
        "weight": [None, *np.linspace(1, 2, 60)],
    }
    if form == "csv":
        write_csv(photos / "labels.csv", **more | {"weight": ["", *more["weight"][1:]]})
    else:
        pyarrow = pytest.importorskip("pyarrow")
        table = pyarrow.table({name: list(values) for name, values in more.items()})
        pytest.importorskip("pyarrow.parquet").write_table(table, photos / "labels.parquet")
    said = []
    data = load(photos, say=said.append)
    assert data.factors == {"shape": 3}
    text = "\n".join(said)
    assert f"photos: labels.{form}: 1 row left out that name" in text
    assert "column 'weight' is left out: row 0 has no value" in text
    assert "column 'number' is left out: its whole numbers are different for each of 60" in text
    assert "column 'caption' is left out, as it has too few images per value" in text


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"number": range(60)}, r"expected one column of file names, .*'00\.png'; got number"),
        ({"a": NAMES, "b": NAMES}, "expected one column of file names.*; got a, b"),
        ({"file": NAMES, "path": NAMES}, "expected one column of file names.*; got file, path"),
        (
            {"file": NAMES[1:]},
            r"expected a row for each .*none for 1 of 60, such as 'images/00\.png'",
        ),
        ({"file": [*NAMES, "00.png"]}, r"two rows name the file '00\.png'"),
    ],
)
def test_table_that_does_not_fit_the_images_is_refused(photos, load, columns, message):
    write_csv(photos / "labels.csv", **columns, size=[1] * len(next(iter(columns.values()))))
    with pytest.raises(DisentangleError, match=rf"'labels\.csv' in .*photos as labels: {message}"):
        load(photos)


def test_row_that_names_two_images_is_refused(photos, load):
    (photos / "more").mkdir()
    (photos / "more" / "00.png").write_bytes((photos / "images" / "00.png").read_bytes())
    write_csv(photos / "labels.csv", file=NAMES, size=[i % 2 for i in range(60)])
    with pytest.raises(DisentangleError, match=r"'00\.png' names 2 images; give their paths"):
        load(photos)


def test_two_tables_are_refused(photos, load):
    for name in ("labels.csv", "metadata.csv"):
        write_csv(photos / name, **COLUMNS)
    with pytest.raises(DisentangleError, match=r"expected one table .*labels\.csv, metadata\.csv"):
        load(photos)


def test_kind_of_no_column_is_refused(photos, load):
    write_csv(photos / "labels.csv", **COLUMNS)
    (photos / "labels.csv.json").write_text('{"kinds": {"angel": "cyclic=360"}}')
    with pytest.raises(DisentangleError, match="no factor 'angel'; did you mean 'angle'"):
        load(photos)
