"""Images with labels of another library: sizes, labels and splits, prepared once."""

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from disentangle._utils.files import remove_empty
from disentangle.data.examples import Examples, prepare_examples, shared_columns
from disentangle.data.location import Location
from disentangle.errors import DisentangleError, UsageError


def picture(i, size=(20, 20), mode="RGB"):
    pixels = np.random.default_rng(i).integers(0, 256, (*size[::-1], 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def prepare(tmp_path):
    """A function that opens the dataset of some images and their columns of labels."""

    def prepare(images, labels=None, names=None, optional=False, say=None, **options):
        labels = labels or {}

        def read():
            rows = zip(*labels.values(), strict=True) if labels else [()] * len(images)
            yield from zip(images, rows, strict=True)

        location = Location(folder=tmp_path / "a" / "b", name="lab:x", **options)
        if say is not None:
            location = Location(folder=tmp_path / "a" / "b", name="lab:x", say=say, **options)
        columns = {name: (names or {}).get(name, ()) for name in labels}
        parts = {"all": read}
        examples = Examples(parts=parts, source="lab 1", columns=columns, optional=optional)
        return prepare_examples(location, 1, lambda stack: examples)

    return prepare


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(28, 28)], 32),
        ([(32, 32)], 32),
        ([(8, 8), (32, 20)], 32),
        ([(64, 64)], 64),
        ([(128, 128)], 128),
        ([(33, 33)], 64),
        ([(128, 128), (64, 64)], 64),
        ([(300, 200)], 64),
    ],
)
def test_side_is_one_that_networks_take(prepare, sizes, side):
    dataset = prepare([picture(i, size) for i, size in enumerate(sizes * 2)])
    assert dataset.image_shape == (3, side, side)


def test_image_of_the_right_size_keeps_its_pixels(prepare):
    images = [picture(i, (32, 32)) for i in range(40)]  # more than a block
    kept = prepare(images).images(range(40)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(kept, np.stack([np.asarray(image) for image in images]))


def test_other_image_is_cropped_and_resized_as_pillow_does(prepare):
    image = picture(0, (50, 40))
    kept = prepare([image, picture(1)]).images([0])[0].permute(1, 2, 0).numpy()
    same = image.crop((5, 0, 45, 40)).resize((64, 64), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(kept, np.asarray(same))


@pytest.mark.parametrize(("modes", "channels"), [(["L", "1"], 1), (["L", "RGB"], 3), (["LA"], 1)])
def test_images_are_grey_if_all_are(prepare, modes, channels):
    images = [picture(i, mode=mode) for i, mode in enumerate(modes * 2)]
    assert prepare(images).image_shape[0] == channels


def test_users_size_goes_first(prepare):
    assert prepare([picture(0), picture(1)], image_size=48, channels=1).image_shape == (1, 48, 48)


def test_numbers_of_classes_have_their_names_in_the_order_of_numbers(prepare):
    images = [picture(i) for i in range(30)]
    labels = {"label": [(7, 2, 0)[i % 3] for i in range(30)]}
    names = {"label": ["zebra", "b", "ant", "d", "e", "f", "g", "ant"]}
    dataset = prepare(images, labels, names)
    assert dataset.values["label"] == ("zebra", "ant (2)", "ant (7)")
    assert dataset.every_label([0, 1, 2])[:, 0].tolist() == [2, 1, 0]


def test_other_columns_follow_the_rules_of_own_data(prepare):
    images = [picture(i) for i in range(40)]
    labels = {
        "gaps": [(1, 2, 8)[i % 3] for i in range(40)],
        "words": ["ab"[i % 2] for i in range(40)],
        "real": [i % 4 / 4 for i in range(40)],
        "flag": [i % 5 == 0 for i in range(40)],
    }
    dataset = prepare(images, labels)
    assert dataset.factors == {"gaps": 3, "words": 2, "real": 4, "flag": 2}
    assert dataset.values["flag"] == ("False", "True")
    assert dataset.numbers == {"gaps": (1.0, 2.0, 8.0)}


def test_classes_are_discrete_however_few_images_there_are(prepare):
    images, numbers = [picture(i) for i in range(60)], list(range(60))
    assert prepare(images, {"label": numbers}, {"label": list(map(str, numbers))}).factors == {
        "label": 60
    }


def test_full_grid_becomes_a_grid_in_row_major_order(prepare):
    cells = [(x, y) for y in range(3) for x in range(4)]
    images = [picture(10 * x + y) for x, y in cells]
    dataset = prepare(images, {"x": [x for x, _ in cells], "y": [y for _, y in cells]}, channels=3)
    assert dataset.strength == "grid"
    second = dataset.images(dataset.index([[0, 1]]))[0].permute(1, 2, 0).numpy()
    same = images[4].resize((32, 32), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(second, np.asarray(same))


def test_column_that_is_no_factor_is_left_out_with_a_message_if_it_was_not_named(prepare):
    labels = {"kind": [i % 2 for i in range(60)], "number": list(range(60))}
    labels |= {"name": [f"cat {i}" for i in range(60)], "comment": [None, *"b" * 59]}
    said = []
    dataset = prepare([picture(i) for i in range(60)], labels, optional=True, say=said.append)
    assert dataset.factors == {"kind": 2}
    for column, why in (
        ("number", ": its whole numbers are different for each of 60 images"),
        ("name", ", as it has too few images per value: 60 values in 60 rows"),
        ("comment", ": row 0 has no value"),
    ):
        assert any(f"column '{column}' is left out{why}" in text for text in said)
    assert not any("bin it" in text for text in said)


def test_column_of_real_numbers_becomes_a_continuous_factor(prepare):
    age = [i / 7 for i in range(30)]
    dataset = prepare([picture(i) for i in range(30)], {"age": age}, optional=True)
    assert (dataset.strength, dataset.real_factors) == ("labelled", ("age",))
    assert list(dataset.numbers["age"]) == age


def test_column_of_whole_numbers_that_repeat_becomes_a_continuous_factor_and_is_said(prepare):
    said, grams = [], [i // 2 for i in range(120)]
    images = [picture(i) for i in range(120)]
    dataset = prepare(images, {"grams": grams}, optional=True, say=said.append)
    assert dataset.real_factors == ("grams",)
    assert any(line.endswith("labels, so they are taken as continuous") for line in said)


def test_column_that_is_no_factor_is_an_error_if_it_was_named(prepare):
    names = [f"cat {i}" for i in range(60)]
    with pytest.raises(DisentangleError, match=r"'lab:x': column 'name' has too few rows"):
        prepare([picture(i) for i in range(60)], {"name": names})


def test_without_labels_there_are_images_alone(prepare):
    assert prepare([picture(0), picture(1)]).strength == "images"


def test_parts_become_splits(tmp_path):
    parts = {
        "test": lambda: ((picture(i), [0]) for i in range(3)),
        "train": lambda: ((picture(i), [i % 2]) for i in range(10, 17)),
    }
    examples = Examples(parts=parts, source="lab 1", columns={"kind": ("cat", "dog")})
    location = Location(folder=tmp_path, name="lab:x")
    dataset = prepare_examples(location, 1, lambda stack: examples)
    assert {name: index.tolist() for name, index in dataset.splits.items()} == {
        "all": list(range(10)),
        "test": [0, 1, 2],
        "train": list(range(3, 10)),
    }
    assert (dataset.train_split, dataset.test_split) == ("train", "test")
    assert dataset.every_label([3, 4])[:, 0].tolist() == [0, 1]


def test_it_is_read_once(prepare, tmp_path):
    first = prepare([picture(i) for i in range(4)])

    def make(stack):
        raise AssertionError("read again")

    again = prepare_examples(Location(folder=tmp_path / "a" / "b", name="lab:x"), 1, make)
    assert again.fingerprint == first.fingerprint


def broken():
    yield picture(0), ()
    raise KeyError("no such row")


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: iter(()), "'lab:x' has no images"),
        (broken, "image 1 of 'lab:x' cannot be read: KeyError: 'no such row'"),
        (
            lambda: iter([(picture(0, mode="CMYK"), ())]),
            "image 0 of 'lab:x' has mode CMYK: convert",
        ),
        (lambda: iter([(Image.new("I;16", (9, 9)), ())]), "image 0 of 'lab:x' has mode I;16"),
    ],
)
def test_image_that_cannot_be_used_is_named_and_nothing_is_left(tmp_path, read, message):
    location = Location(folder=tmp_path / "a" / "b", name="lab:x")
    with pytest.raises(DisentangleError, match=message):
        prepare_examples(location, 1, lambda stack: Examples(parts={"all": read}, source=""))
    assert not list(tmp_path.iterdir())


def test_file_that_is_cut_is_reported(tmp_path):
    for i in range(2):
        picture(i, (90, 90)).save(tmp_path / f"{i}.png")
    path = tmp_path / "1.png"
    path.write_bytes(path.read_bytes()[:5000])

    def read():
        yield from ((Image.open(tmp_path / f"{i}.png"), ()) for i in range(2))

    location = Location(folder=tmp_path / "a", name="lab:x")
    with pytest.raises(DisentangleError, match="image 1 of 'lab:x' cannot be decoded: "):
        prepare_examples(location, 1, lambda stack: Examples(parts={"all": read}, source=""))


@pytest.mark.parametrize("other", [{"animal": ("cat", "dog")}, {"animal": ("dog",)}, {}])
def test_splits_of_other_classes_do_not_share_their_numbers(other):
    columns = {"train": {"animal": ("dog", "cat")}, "test": other}
    with pytest.raises(UsageError, match="'lab:x': column 'animal' has other classes in split"):
        shared_columns(columns, "lab:x")
    assert shared_columns({"train": columns["train"]}, "lab:x") == {"animal": ("dog", "cat")}


def test_folder_that_another_process_prepares_is_left(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        remove_empty([folder, folder.parent])
        assert (folder / ".lock").exists()
    remove_empty([folder, folder.parent])
    assert not folder.parent.exists()


def test_example_without_a_label_for_each_column_is_named(tmp_path):
    examples = Examples(
        parts={"all": lambda: [(picture(0), [1, 2])]}, source="lab 1", columns={"digit": ()}
    )
    location = Location(folder=tmp_path / "a", name="lab:x")
    message = r"image 0 of 'lab:x': expected a label for each column \(digit\), got 2"
    with pytest.raises(DisentangleError, match=message):
        prepare_examples(location, 1, lambda stack: examples)
