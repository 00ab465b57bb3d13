"""Datasets of torchvision, from tiny files in their official formats."""

import gzip
import hashlib
import inspect
import io
import os
import pickle
import re
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, UsageError
from disentangle.testing import check_collection
from disentangle_plugins.collections.torchvision import AS_LISTED, OF_PAIRS, REFUSED

rng = np.random.default_rng(0)


def idx(array):
    """An array of bytes in MNIST's format."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return struct.pack(">HBB", 0, 8, array.ndim) + sizes + array.tobytes()


def digits(count):
    return rng.integers(0, 256, (count, 28, 28), np.uint8), (np.arange(count) % 10).astype(np.uint8)


TRAIN, TEST = digits(40), digits(20)


def write_mnist(folder, prefix="", compressed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for part, (images, labels) in (("train", TRAIN), ("t10k", TEST)):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{prefix}{part}-{kind}-ubyte"
            content = idx(array)
            if compressed:
                path, content = path.with_name(f"{path.name}.gz"), gzip.compress(content)
            path.write_bytes(content)
    return folder


def save(folder, *names, size=(40, 48), mode="RGB"):
    """Save an image of noise under each name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def load(tmp_path):
    """A function that opens a dataset by reference, with its own data folder."""

    def load(reference, file=None, **options):
        return load_dataset(reference, data_dir=tmp_path / "data", file=file, **options)

    return load


@pytest.fixture
def mnist(tmp_path):
    return write_mnist(tmp_path / "mnist", compressed=True)


def test_mnist_is_resized_to_a_side_that_networks_take(load, mnist):
    dataset = load("torchvision:MNIST", mnist)
    assert (len(dataset), dataset.image_shape) == (40, (1, 32, 32))
    digit = Image.fromarray(TRAIN[0][3]).resize((32, 32), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(dataset.images([3])[0, 0], np.asarray(digit))
    assert dataset.labels(range(40))[:, 0].tolist() == TRAIN[1].tolist()
    assert dataset.values["label"][:2] == ("0 - zero", "1 - one")
    assert dataset.name == "torchvision:MNIST"


def test_source_says_version_class_split_and_size(load, mnist):
    source = load("torchvision:MNIST:test", mnist).source
    assert source.startswith("torchvision ")
    assert source.endswith(", MNIST, split test, resized (from 28 x 28)")


def test_other_split_and_all_splits(load, mnist):
    assert len(load("torchvision:MNIST:test", mnist)) == 20
    both = load("torchvision:MNIST:split=train+test", mnist)
    assert {name: len(index) for name, index in both.splits.items()} == {
        "all": 60,
        "train": 40,
        "test": 20,
    }


def test_split_taken_by_default_is_said(load, mnist):
    said = []
    load("torchvision:MNIST", mnist, say=said.append)
    assert said[0] == (
        "torchvision:MNIST: split train; choose others as in `torchvision:MNIST:split=train+test`"
    )


@pytest.mark.parametrize("folder", ["MNIST/raw", "raw", "."])
@pytest.mark.parametrize("compressed", [True, False])
def test_files_of_mnist_are_found_where_they_lie(load, tmp_path, folder, compressed):
    write_mnist(tmp_path / "given" / folder, compressed=compressed)
    before = sorted((tmp_path / "given").rglob("*"))
    assert len(load("torchvision:MNIST", tmp_path / "given")) == 40
    assert sorted((tmp_path / "given").rglob("*")) == before


def test_files_with_a_dot_in_place_of_a_hyphen_are_found(load, tmp_path):
    folder = write_mnist(tmp_path / "given")
    for path in list(folder.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(load("torchvision:FashionMNIST", folder)) == 40


def test_archive_is_unpacked_for_the_while(load, mnist, tmp_path):
    archive = tmp_path / "mnist.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(mnist, "files")
    assert len(load("torchvision:MNIST", archive)) == 40
    (folder,) = (tmp_path / "data" / "references").glob("*/*")
    assert {path.suffix for path in folder.iterdir()} <= {".npy", ".json", ""}
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_emnist_has_splits_of_its_own(load, tmp_path):
    write_mnist(tmp_path / "emnist", "emnist-letters-")
    for path in list((tmp_path / "emnist").iterdir()):
        path.rename(path.with_name(path.name.replace("t10k", "test")))
    with pytest.raises(UsageError, match="which split\\? Known: byclass, bymerge, balanced"):
        load("torchvision:EMNIST", tmp_path / "emnist")
    dataset = load("torchvision:EMNIST:letters,train=false", tmp_path / "emnist")
    assert (len(dataset), dataset.values["label"][:3]) == (20, ("N/A", "a", "b"))


def write_omniglot(folder):
    for name in ("Greek/character01", "Greek/character02", "Braille/character01"):
        save(folder / "omniglot-py" / "images_background" / name, "b.png", "a.png")


def write_sun(folder):
    names = ("abbey", "bar", "zoo")
    (folder / "SUN397").mkdir()
    (folder / "SUN397" / "ClassName.txt").write_text("".join(f"/{n[0]}/{n}\n" for n in names))
    for name in names:
        save(folder / "SUN397" / name[0] / name, "sun_b.jpg", "sun_a.jpg")


def write_inaturalist(folder):
    for number, name in enumerate(("Animalia_A", "Plantae_B", "Animalia_C")):
        save(folder / "2021_train" / f"{number:05d}_{name}_c_d_e_f_g", "b.jpg", "a.jpg")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("Omniglot", write_omniglot),
        ("SUN397", write_sun),
        ("INaturalist", write_inaturalist),
    ],
)
def test_numbers_do_not_depend_on_the_order_in_which_files_are_listed(
    name, write, tmp_path, monkeypatch
):
    monkeypatch.setattr(datasets.Omniglot, "_check_integrity", lambda self: True)
    write(tmp_path)
    listdir, rglob = os.listdir, Path.rglob
    opened = []
    for order in (1, -1):

        def listed(names, order=order):
            return sorted(names, key=str)[::order]

        monkeypatch.setattr(os, "listdir", lambda *args: listed(listdir(*args)))
        monkeypatch.setattr(Path, "rglob", lambda self, *args: listed(rglob(self, *args)))
        data = tmp_path / f"data {order}"
        dataset = load_dataset(f"torchvision:{name}", data_dir=data, file=tmp_path)
        (factor,) = dataset.factors
        labels = [dataset.values[factor][i] for i in dataset.labels(range(len(dataset)))[:, 0]]
        opened.append((dataset.fingerprint, labels))
    assert opened[0] == opened[1]
    assert labels == sorted(labels)


def test_every_class_that_lists_files_unsorted_is_known():
    """The classes of torchvision by their source; those that are refused do not matter."""
    unsorted = set()
    for name in datasets.__all__:
        cls = getattr(datasets, name)
        if not inspect.isclass(cls) or OF_PAIRS & {base.__name__ for base in cls.__mro__}:
            continue
        for line in inspect.getsource(cls).splitlines():
            lists = re.search(r"\b(listdir|list_dir|list_files|r?glob|iterdir|scandir)\(", line)
            if lists and "sorted(" not in line and "len(" not in line:
                unsorted.add(name)
    # These unpack what they list, or number what they have counted.
    harmless = {"Caltech101", "Caltech256", "EMNIST"}
    assert unsorted - harmless - set(REFUSED) == set(AS_LISTED)


def test_splits_with_other_classes_are_not_mixed(load, tmp_path, monkeypatch):
    omniglot = datasets.Omniglot
    monkeypatch.setattr(omniglot, "_check_integrity", lambda self: True)
    for part, alphabet in (("background", "Greek"), ("evaluation", "Atlantean")):
        save(tmp_path / "omniglot-py" / f"images_{part}" / alphabet / "character01", "a.png")
        save(tmp_path / "omniglot-py" / f"images_{part}" / alphabet / "character02", "b.png")
    assert len(load("torchvision:Omniglot", tmp_path)) == 2
    with pytest.raises(UsageError, match="'label' has other classes in split 'evaluation'"):
        load("torchvision:Omniglot:background+evaluation", tmp_path)


def test_damaged_file_is_named(load, mnist):
    path = mnist / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DisentangleError, match=r"train-images-idx3-ubyte\.gz cannot be unpacked"):
        load("torchvision:MNIST", mnist)


def test_missing_file_is_reported_with_what_torchvision_expects(load, mnist):
    (mnist / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        DisentangleError, match=r"opened in .*mnist: Dataset not found\. .*MNIST/raw"
    ):
        load("torchvision:MNIST", mnist)


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """CIFAR-10 with three images per batch, and the checksums of these."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch", "batches.meta"]
    sums = {}
    for name in names:
        pixels = rng.integers(0, 256, (3, 3072), np.uint8)
        content = {"data": pixels, "labels": [0, 1, 2]}
        if name == "batches.meta":
            content = {"label_names": ["airplane", "automobile", "bird"]}
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [[n, sums[n]] for n in names[:5]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {**datasets.CIFAR10.meta, "md5": sums["batches.meta"]}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    return folder


@pytest.mark.parametrize("given", [".", "cifar-10-batches-py", "cifar.tar.gz"])
def test_cifar_keeps_its_size_and_names(load, cifar, given):
    with tarfile.open(cifar.parent / "cifar.tar.gz", "w:gz") as tar:
        tar.add(cifar, cifar.name)
    dataset = load("torchvision:CIFAR10", cifar.parent / given)
    assert (len(dataset), dataset.image_shape) == (15, (3, 32, 32))
    assert dataset.values["label"] == ("airplane", "automobile", "bird")
    assert "resized" not in dataset.source


def test_damaged_archive_is_named(load, tmp_path):
    (tmp_path / "cifar.tar.gz").write_bytes(gzip.compress(bytes(100)))
    with pytest.raises(DisentangleError, match=r"cifar\.tar\.gz cannot be"):
        load("torchvision:CIFAR10", tmp_path / "cifar.tar.gz")


def test_image_folder_has_a_class_per_subfolder_and_keeps_grey(load, tmp_path):
    save(
        tmp_path / "pets",
        *(f"{kind}/{i}.png" for kind in ("cat", "dog") for i in range(3)),
        mode="L",
    )
    dataset = load("torchvision:ImageFolder", tmp_path / "pets")
    assert (dataset.image_shape, dataset.values["label"]) == ((1, 64, 64), ("cat", "dog"))
    assert "split" not in dataset.source
    with pytest.raises(UsageError, match="ImageFolder has no splits"):
        load("torchvision:ImageFolder:test", tmp_path / "pets")


def test_users_size_and_channels(load, tmp_path):
    save(tmp_path / "pets", "a/0.png", "b/1.png")
    options = {"image_size": 32, "channels": 1}
    dataset = load("torchvision:ImageFolder", tmp_path / "pets", **options)
    assert dataset.image_shape == (1, 32, 32)


def write_celeba(folder, monkeypatch, count=12):
    base = folder / "celeba"
    save(base / "img_align_celeba", *(f"{i}.jpg" for i in range(count)), size=(218, 178))
    names = [f"{i}.jpg" for i in range(count)]
    attributes = [
        f"{name} {1 if i % 2 else -1:2d} {1 if i % 3 else -1:2d}" for i, name in enumerate(names)
    ]
    texts = {
        "list_attr_celeba.txt": [str(count), "Bald 5_o_Clock_Shadow ", *attributes],
        "list_eval_partition.txt": [f"{name} {i % 3}" for i, name in enumerate(names)],
        "identity_CelebA.txt": [f"{name} {i % 4}" for i, name in enumerate(names)],
        "list_bbox_celeba.txt": [str(count), "image_id x_1", *(f"{n} 1" for n in names)],
        "list_landmarks_align_celeba.txt": [str(count), "lefteye_x", *(f"{n} 1" for n in names)],
    }
    files = []
    for name, lines in texts.items():
        (base / name).write_text("\n".join(lines) + "\n")
        files.append(("", hashlib.md5((base / name).read_bytes()).hexdigest(), name))
    monkeypatch.setattr(datasets.CelebA, "file_list", files)
    return folder


def test_attributes_are_factors_that_depend_on_one_another(load, tmp_path, monkeypatch):
    dataset = load("torchvision:CelebA:split=all", write_celeba(tmp_path / "c", monkeypatch))
    assert dataset.factors == {"Bald": 2, "5_o_Clock_Shadow": 2}
    assert dataset.values["Bald"] == ("no", "yes")
    assert dataset.labels(range(4)).tolist() == [[0, 0], [1, 1], [0, 1], [1, 0]]
    assert dataset.dependence


def test_other_targets_are_factors_of_their_names(load, tmp_path, monkeypatch):
    reference = "torchvision:CelebA:split=all,target_type=attr+identity"
    dataset = load(reference, write_celeba(tmp_path / "c", monkeypatch))
    assert list(dataset.factors) == ["Bald", "5_o_Clock_Shadow", "identity"]
    assert dataset.source.endswith(
        ", CelebA, split all, target_type=attr+identity, cropped to the central square and resized "
        "(from 178 x 218)"
    )


def test_flowers_have_their_names(load, tmp_path, monkeypatch):
    base = tmp_path / "flowers-102"
    save(base / "jpg", *(f"image_{i:05d}.jpg" for i in range(1, 7)), size=(500, 600))
    savemat(base / "imagelabels.mat", {"labels": [[77, 77, 1, 1, 1, 1]]})
    savemat(base / "setid.mat", {"trnid": [[1, 3]], "valid": [[2, 4]], "tstid": [[5, 6]]})
    files = {"label": ("imagelabels.mat", None), "setid": ("setid.mat", None)}
    monkeypatch.setattr(datasets.Flowers102, "_file_dict", files)
    dataset = load("torchvision:Flowers102:train+val+test", tmp_path)
    assert {name: len(index) for name, index in dataset.splits.items()} == {
        "all": 6,
        "train": 2,
        "val": 2,
        "test": 2,
    }
    assert dataset.values["label"] == ("pink primrose", "passion flower")


def test_house_numbers_are_read(load, tmp_path, monkeypatch):
    pixels = rng.integers(0, 256, (32, 32, 3, 5), np.uint8)
    savemat(tmp_path / "test_32x32.mat", {"X": pixels, "y": [[1], [2], [10], [1], [2]]})
    sums = {"test": ["", "test_32x32.mat", None]}
    monkeypatch.setattr(datasets.SVHN, "split_list", sums)
    dataset = load("torchvision:SVHN:test", tmp_path)
    np.testing.assert_array_equal(dataset.images([2])[0].permute(1, 2, 0), pixels[..., 2])
    assert dataset.labels(range(5))[:, 0].tolist() == [1, 2, 0, 1, 2]


def test_several_targets_of_pets_have_names_of_their_own(load, tmp_path):
    base = tmp_path / "oxford-iiit-pet"
    names = ["Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_2"]
    save(base / "images", *(f"{name}.jpg" for name in names))
    (base / "annotations").mkdir()
    lines = [f"{name} {1 + i // 2} {1 + i // 2} 1" for i, name in enumerate(names)]
    (base / "annotations" / "trainval.txt").write_text("\n".join(lines))
    reference = "torchvision:OxfordIIITPet:target_types=category+binary-category"
    dataset = load(reference, tmp_path)
    assert dataset.values["category"] == ("Abyssinian", "Beagle")
    assert dataset.values["binary-category"] == ("Cat", "Dog")
    save(base / "annotations" / "trimaps", *(f"{name}.png" for name in names))
    with pytest.raises(DisentangleError, match="no labels: expected numbers or text, got Png"):
        load("torchvision:OxfordIIITPet:target_types=segmentation", tmp_path)


def test_images_without_labels_are_unlabelled(load, tmp_path, monkeypatch):
    base = tmp_path / "stl10_binary"
    base.mkdir()
    for name in ("unlabeled_X", "train_X", "test_X"):
        (base / f"{name}.bin").write_bytes(
            rng.integers(0, 256, 2 * 3 * 96 * 96, np.uint8).tobytes()
        )
    monkeypatch.setattr(datasets.STL10, "_check_integrity", lambda self: True)
    (base / "class_names.txt").write_text("airplane\nbird\n")
    for name in ("train_y", "test_y"):
        (base / f"{name}.bin").write_bytes(bytes([1, 2]))
    dataset = load("torchvision:STL10:unlabeled", base)
    assert (dataset.strength, dataset.image_shape) == ("images", (3, 64, 64))
    said = []
    dataset = load("torchvision:STL10:train+unlabeled", base, say=said.append)
    assert (dataset.strength, len(dataset.splits["train"])) == ("images", 2)
    assert said[0].endswith("labels are left out, as split unlabeled has none")
    assert load("torchvision:STL10", base).values["label"] == ("airplane", "bird")


def test_unknown_class_split_option_and_value_are_refused(load, mnist, tmp_path):
    for reference, message in (
        ("torchvision:unheard", "no dataset 'unheard'; https://docs.pytorch.org/.* lists them"),
        ("torchvision:MNSIT", "no dataset 'MNSIT'; did you mean 'MNIST'"),
        ("torchvision:MNIST:tets", "no split 'tets'; did you mean 'test'"),
        ("torchvision:MNIST:spilt=test", "no option 'spilt'; did you mean 'split'"),
        ("torchvision:MNIST:root=x", "give the folder of the files by `--file PATH`"),
        ("torchvision:MNIST:train=maybe", "train: expected true or false, got 'maybe'"),
        ("torchvision:STL10:folds=x", "folds: expected a whole number, got 'x'"),
        ("torchvision:SVHN:tst", "Unknown value 'tst' for argument split. Valid values are"),
    ):
        with pytest.raises(UsageError, match=message):
            load(reference, mnist)
    assert not list((tmp_path / "data").glob("references/*"))


def test_folder_in_place_of_a_class_gets_the_right_words(load, tmp_path):
    with pytest.raises(UsageError, match=r"use `torchvision:ImageFolder --file "):
        load(f"torchvision:{tmp_path}")


def test_name_of_a_class_in_small_letters_is_recognised_beside_a_folder(
    load, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    with pytest.raises(UsageError, match=r"did you mean 'MNIST'\? For a folder .*--file mnist`"):
        load("torchvision:mnist")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("FakeData", "random noise"),
        ("Kinetics", "videos"),
        ("VOCDetection", "boxes"),
        ("CocoCaptions", "captions"),
        ("Flickr8k", "captions"),
        ("Sintel", "pairs of images"),
        ("Kitti2015Stereo", "pairs of images"),
    ],
)
def test_class_that_is_no_dataset_of_images_is_refused_before_its_files_are_looked_for(
    load, name, why
):
    with pytest.raises(DisentangleError, match=f"{name}' is no dataset of images.*{why}"):
        load(f"torchvision:{name}")


@pytest.mark.parametrize("name", ["MNIST", "CIFAR100", "SVHN", "Caltech101", "INaturalist"])
def test_nothing_is_downloaded_unless_asked_and_nothing_is_left(load, tmp_path, name):
    layout = "with cifar-100-python" if name == "CIFAR100" else "root: Root directory"
    with pytest.raises(DisentangleError, match=f"(?s)is not prepared.* {layout}") as error:
        load(f"torchvision:{name}")
    assert f"  disentangle data prepare torchvision:{name} --download" in str(error.value)
    assert "download=True" not in str(error.value)
    assert not (tmp_path / "data").exists()


def test_folder_without_the_files_stays_as_it_is(load, tmp_path):
    (tmp_path / "given").mkdir()
    with pytest.raises(DisentangleError, match=r"opened in .*given: .*not found or corrupted\. "):
        load("torchvision:Caltech101", tmp_path / "given")
    assert not list((tmp_path / "given").iterdir())


def test_package_that_a_class_needs_is_named(load, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(DisentangleError, match=r"needs the package lmdb\. Run `pip install lmdb`"):
        load("torchvision:LSUN", tmp_path)


def test_class_that_cannot_download_does_not_offer_it(load):
    with pytest.raises(DisentangleError) as error:
        load("torchvision:FER2013")
    assert "--download" not in str(error.value)


def test_download_without_a_network_is_reported(load, monkeypatch):
    def refuse(*args, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DisentangleError, match=r"SVHN' cannot be downloaded: Name or service"):
        load("torchvision:SVHN", download=True)


def test_download_goes_to_the_data_folder(load, tmp_path, monkeypatch):
    contents = {}
    for path in write_mnist(tmp_path / "remote", compressed=True).iterdir():
        contents[path.name] = path.read_bytes()
    sums = [(n, hashlib.md5(contents[n]).hexdigest()) for n, _ in datasets.MNIST.resources]
    monkeypatch.setattr(datasets.MNIST, "resources", sums)

    class Response(io.BytesIO):
        url, length = None, None

    def serve(request, *args, **options):
        return Response(contents[request.full_url.rpartition("/")[2]])

    monkeypatch.setattr("urllib.request.urlopen", serve)
    assert len(load("torchvision:MNIST", download=True)) == 40
    raw = tmp_path / "data" / "downloads" / "torchvision" / "MNIST" / "MNIST" / "raw"
    assert (raw / "train-images-idx3-ubyte").exists()
    assert len(load("torchvision:MNIST:test")) == 20  # without --download: the files are there


def test_it_keeps_the_contract_of_collections(mnist):
    for check in check_collection("torchvision:MNIST", file=mnist):
        check()
