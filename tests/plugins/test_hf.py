"""Datasets of Hugging Face, from small local files written by the library, without a network."""

import os
import sys
import time

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from PIL import Image

from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, UsageError
from disentangle.testing import check_collection

datasets.disable_progress_bars()
COUNT = 24


def picture(i):
    pixels = np.random.default_rng(i).integers(0, 256, (40, 48, 3), np.uint8)
    return Image.fromarray(pixels)


def table(count=COUNT, **columns):
    """A dataset with an image, a class, a gap in numbers, text and a continuous number."""
    content = {
        "photo": [picture(i) for i in range(count)],
        "animal": [i % 2 for i in range(count)],
        "legs": [(2, 4, 8)[i % 3] for i in range(count)],
        "mood": ["calm" if i % 4 else "wild" for i in range(count)],
        "weight": [i / 7 for i in range(count)],
    }
    features = {
        "photo": datasets.Image(),
        "animal": ClassLabel(names=["dog", "cat"]),
        "legs": Value("int64"),
        "mood": Value("string"),
        "weight": Value("float32"),
    }
    features |= {name: feature for name, (feature, _) in columns.items()}
    content |= {name: values for name, (_, values) in columns.items()}
    return Dataset.from_dict(content, features=Features(features))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of the library, in which nothing is expected."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def load(tmp_path, monkeypatch):
    """A function that opens a dataset by reference, with its own data folder."""
    monkeypatch.chdir(tmp_path)

    def load(reference, **options):
        return load_dataset(reference, data_dir=tmp_path / "data", **options)

    return load


@pytest.fixture
def parquet(tmp_path):
    table().to_parquet(tmp_path / "cats.parquet")
    return tmp_path / "cats.parquet"


def test_columns_become_factors_and_class_names_values(load, parquet):
    dataset = load("hf:./cats.parquet")
    assert (len(dataset), dataset.image_shape) == (COUNT, (3, 64, 64))
    assert dataset.factors == {"animal": 2, "legs": 3, "mood": 2, "weight": COUNT}
    assert (dataset.real_factors, dataset.kinds) == (("weight",), {"weight": "continuous"})
    assert dataset.values["animal"] == ("dog", "cat")
    assert dataset.numbers["legs"] == (2.0, 4.0, 8.0)


def test_pixels_and_labels_are_those_of_the_rows(load, parquet):
    dataset = load("hf:./cats.parquet:labels=animal,image=photo")
    kept = dataset.images([5])[0].permute(1, 2, 0).numpy()
    same = picture(5).crop((4, 0, 44, 40)).resize((64, 64), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(kept, np.asarray(same))
    assert dataset.labels(range(COUNT))[:, 0].tolist() == [i % 2 for i in range(COUNT)]


def test_source_and_name_say_what_was_read_but_not_where(load, parquet, tmp_path):
    dataset = load("hf:./cats.parquet")
    assert dataset.name == "hf:./cats.parquet"
    assert dataset.source == (
        f"datasets {datasets.__version__}, cats.parquet, split train, images in 'photo', cropped "
        "to the central square and resized (from 48 x 40)"
    )


def test_library_writes_nothing_beside_the_prepared_images(load, parquet, cache, tmp_path):
    load("hf:./cats.parquet")
    assert not cache.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"cats.parquet", "data"}


def test_named_labels_only(load, parquet):
    assert load("hf:./cats.parquet:labels=legs+animal").factors == {"legs": 3, "animal": 2}
    assert load("hf:./cats.parquet:labels=none").strength == "images"


def test_labels_that_are_no_factors_are_an_error_if_named(load, parquet, tmp_path):
    names = (Value("string"), [None, *"b" * (COUNT - 1)])
    table(name=names).to_parquet(tmp_path / "named.parquet")
    with pytest.raises(DisentangleError, match="'name': row 0 has no value"):
        load("hf:./named.parquet:labels=name")
    with pytest.raises(UsageError, match="column 'photo' holds the images, not labels"):
        load("hf:./cats.parquet:labels=photo")


def test_file_that_has_changed_is_prepared_again(load, parquet):
    first = load("hf:./cats.parquet").fingerprint
    table(COUNT - 2).to_parquet(parquet)
    assert load("hf:./cats.parquet").fingerprint != first


def test_prepared_dataset_needs_no_library(load, parquet, monkeypatch):
    first = load("hf:./cats.parquet")
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert load("hf:./cats.parquet").fingerprint == first.fingerprint
    with pytest.raises(DisentangleError, match=r"Run `pip install 'disentangle-bench\[hf\]'`"):
        load("hf:./cats.parquet:labels=none")


def test_folder_of_the_hub_has_splits(load, tmp_path):
    folder = tmp_path / "copy" / "data"
    folder.mkdir(parents=True)
    table().to_parquet(folder / "train-00000-of-00001.parquet")
    table(6).to_parquet(folder / "test-00000-of-00001.parquet")
    with pytest.raises(UsageError) as error:
        load("hf:./copy")
    assert str(error.value) == (
        "'hf:./copy': which split? Known: train, test. Choose one as in `hf:./copy:split=train`, "
        "or several as in `hf:./copy:split=train+test`"
    )
    with pytest.raises(UsageError, match="no split 'valid'; known: train, test"):
        load("hf:./copy:valid")
    assert len(load("hf:./copy:test")) == 6
    both = load("hf:./copy:train+test")
    assert {name: len(index) for name, index in both.splits.items()} == {
        "all": COUNT + 6,
        "train": COUNT,
        "test": 6,
    }


def test_folder_of_images_has_a_class_per_subfolder(load, tmp_path):
    for i in range(6):
        path = tmp_path / "pets" / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(i).convert("L").save(path)
    dataset = load("hf:./pets")
    assert (dataset.image_shape, dataset.values["label"]) == ((1, 64, 64), ("cat", "dog"))


@pytest.mark.parametrize("splits", [True, False])
def test_folder_that_the_library_saved_is_read(load, tmp_path, splits):
    saved = DatasetDict({"train": table(), "test": table(5)}) if splits else table()
    saved.save_to_disk(tmp_path / "saved")
    dataset = load("hf:./saved:train" if splits else "hf:./saved")
    assert (len(dataset), dataset.values["animal"]) == (COUNT, ("dog", "cat"))


def test_splits_with_other_classes_are_not_mixed(load, tmp_path):
    swapped = {"animal": (ClassLabel(names=["cat", "dog"]), [i % 2 for i in range(COUNT)])}
    DatasetDict({"train": table(), "test": table(**swapped)}).save_to_disk(tmp_path / "saved")
    with pytest.raises(UsageError, match="'animal' has other classes in split 'test'"):
        load("hf:./saved:train+test")


def test_arrow_file_is_read(load, tmp_path):
    table().save_to_disk(tmp_path / "saved")
    assert len(load("hf:./saved/data-00000-of-00001.arrow")) == COUNT


def test_table_of_paths_is_read_from_its_folder(load, tmp_path):
    (tmp_path / "t" / "images").mkdir(parents=True)
    lines = ["file,size"]
    for i in range(6):
        picture(i).save(tmp_path / "t" / "images" / f"{i}.png")
        lines.append(f"images/{i}.png,{i % 3}")
    (tmp_path / "t" / "table.csv").write_text("\n".join(lines))
    with pytest.raises(UsageError, match=r"no column holds images; .* Columns: file, size"):
        load("hf:./t/table.csv")
    dataset = load("hf:./t/table.csv:image=file")
    assert dataset.factors == {"size": 3}
    with pytest.raises(
        DisentangleError, match=r"image 0 of .* cannot be read: .*expected the bytes"
    ):
        load("hf:./t/table.csv:image=size")
    (tmp_path / "t" / "images" / "0.png").unlink()
    with pytest.raises(DisentangleError, match=r"image 0 of .* cannot be read: FileNotFoundError"):
        load("hf:./t/table.csv:image=file,labels=none")


def test_one_of_several_images_is_named(load, tmp_path):
    mask = (datasets.Image(), [picture(-i % 5) for i in range(COUNT)])
    table(mask=mask).to_parquet(tmp_path / "two.parquet")
    with pytest.raises(UsageError, match="images are in photo, mask; name the column by `image="):
        load("hf:./two.parquet")
    assert len(load("hf:./two.parquet:image=mask")) == COUNT


def test_bytes_written_by_another_program_are_images(load, tmp_path):
    import io

    import pandas

    files = []
    for i in range(4):
        picture(i).save(file := io.BytesIO(), "PNG")
        files.append(file.getvalue())
    pandas.DataFrame({"picture": files, "kind": [0, 1, 0, 1]}).to_parquet(tmp_path / "p.parquet")
    assert load("hf:./p.parquet").factors == {"kind": 2}


def test_damaged_image_is_named(load, tmp_path):
    import pandas

    pandas.DataFrame({"picture": [b"no image"]}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(DisentangleError, match=r"image 0 of 'hf:\./p\.parquet' cannot be read"):
        load("hf:./p.parquet")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("hf:./cats.parquet:image=foto", "no column 'foto'; did you mean 'photo'"),
        ("hf:./cats.parquet:labels=animal+leg", "no column 'leg'; did you mean 'legs'"),
        ("hf:./cats.parquet:lables=x", "no option 'lables'; did you mean 'labels'"),
        ("hf:cats.parquet", r"for local files, write hf:\./cats\.parquet"),
    ],
)
def test_misspelt_reference_is_refused_and_leaves_nothing(
    load, parquet, tmp_path, reference, message
):
    with pytest.raises(UsageError, match=message):
        load(reference)
    assert not list((tmp_path / "data").glob("references/*"))


def test_path_that_is_not_there_or_no_data_is_named(load, tmp_path):
    with pytest.raises(DisentangleError, match=r"nothing\.parquet: no such file or folder"):
        load("hf:./nothing.parquet")
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(DisentangleError, match=r"x\.txt: expected a folder, or a file \(\.parquet"):
        load("hf:./x.txt")
    (tmp_path / "x.parquet").write_text("x" * 20)
    with pytest.raises(DisentangleError, match=r"'hf:\./x\.parquet' cannot be opened: Parquet"):
        load("hf:./x.parquet")


def test_hub_is_not_reached_unless_asked(load, tmp_path):
    start = time.monotonic()
    with pytest.raises(DisentangleError) as error:
        load("hf:ylecun/mnist")
    assert str(error.value) == (
        "'hf:ylecun/mnist' cannot be opened: it is neither prepared nor in Hugging Face's cache. "
        "Run `disentangle data prepare hf:ylecun/mnist --download`"
    )
    assert time.monotonic() - start < 10  # retries of a connection take longer
    assert not list((tmp_path / "data").glob("references/*"))


def test_network_that_is_forbidden_or_missing_is_reported(load, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DisentangleError, match=r"cannot be opened: Couldn't reach 'ylecun/mnist'"):
        load("hf:ylecun/mnist", download=True)


def test_dataset_in_the_cache_of_the_library_needs_no_network(load, cache, tmp_path):
    """A dataset of the hub is stored there by `load_dataset`; its layout is the library's own."""
    copy = tmp_path / "elsewhere" / "cats"
    copy.mkdir(parents=True)
    table().to_parquet(copy / "train.parquet")
    datasets.load_dataset(str(copy), cache_dir=str(cache))
    (made,) = [path for path in cache.iterdir() if path.is_dir()]
    os.rename(made, cache / "me___cats")
    (folder,) = (path for path in cache.glob("me___cats/*/*/*") if path.is_dir())
    folder.rename(folder.with_name("c0ffee" * 6 + "abcd"))
    dataset = load("hf:me/cats")
    assert len(dataset) == COUNT
    assert ", me/cats, commit c0ffeec0ff, split train, " in dataset.source
    assert datasets.config.HF_HUB_OFFLINE is False


def test_it_keeps_the_contract_of_collections(load, parquet):
    for check in check_collection(f"hf:{parquet}"):
        check()
