"""Names of datasets: registered, references, and paths in both."""

from pathlib import Path

import pytest

from disentangle.data.loading import location
from disentangle.data.names import is_path, path_of, shown_name, true_name, with_path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("dsprites", None),
        ("my.module:open", None),
        ("torchvision:MNIST", None),
        ("hf:ylecun/mnist", None),
        ("hf:ylecun/mnist:test", None),
        ("./photos", "photos"),
        ("images.npz", "images.npz"),
        ("hf:./cats.parquet", "cats.parquet"),
        ("hf:./cats.parquet:train", "cats.parquet"),
        ("hf:../x/cats:split=train+test,image=photo", "../x/cats"),
        ("hf:/data/cats", "/data/cats"),
        ("hf:~/cats", "~/cats"),
        ("hf:.", "."),
    ],
)
def test_path_is_found_in_any_name(name, path):
    assert is_path(name) == (path is not None)
    assert path_of(name) == (path and Path(path).expanduser().resolve())


def test_other_path_takes_the_place_of_the_one_in_a_name():
    assert with_path("./photos", "/b/photos") == "/b/photos"
    assert with_path("hf:./cats:test", "/b/cats") == "hf:/b/cats:split=test"


@pytest.mark.parametrize(
    ("name", "true"),
    [
        ("DSPRITES", "dsprites"),
        ("TorchVision:MNIST:test", "torchvision:MNIST:split=test"),
        ("hf:cats:labels=a+b,image=x", "hf:cats:image=x,labels=a+b"),
        ("my.module:Open", "my.module:Open"),
        ("./Photos", "./Photos"),
    ],
)
def test_name_is_the_same_in_any_case_and_order_of_options(name, true):
    assert true_name(name) == true


def test_records_hold_the_last_part_of_a_path_alone():
    assert shown_name("/home/me/photos") == "./photos"
    assert shown_name("hf:/home/me/cats.parquet:train") == "hf:./cats.parquet:split=train"
    assert shown_name("hf:./cats", Path("/moved/dogs")) == "hf:./dogs"


def test_folder_depends_on_path_options_and_size_but_not_on_a_file_of_a_named_dataset(tmp_path):
    def folder(name, **options):
        return location(name, tmp_path, **options).folder

    first = folder("torchvision:MNIST")
    assert first.relative_to(tmp_path).parts[0] == "references"
    assert folder("torchvision:MNIST", file=tmp_path / "mnist") == first
    others = [
        folder("torchvision:MNIST:test"),
        folder("torchvision:MNIST", image_size=64),
        folder("torchvision:MNIST", channels=3),
        folder("hf:./cats"),
        folder("hf:./cats", file=tmp_path / "cats"),
        folder("hf:./cats:labels=none"),
    ]
    assert len({first, *others}) == 1 + len(others)


def test_long_reference_has_a_folder_all_the_same(tmp_path):
    place = location(f"hf:a/b:labels={'+'.join(map(str, range(300)))}", tmp_path)
    assert len(place.folder.parent.name) < 200
