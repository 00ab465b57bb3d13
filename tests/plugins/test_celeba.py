"""CelebA from small archives in the published layout, and the ways in which these go wrong."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import disentangle
from disentangle.contracts.dataset import Labelled
from disentangle.data.location import Location
from disentangle.errors import DisentangleError, UsageError
from disentangle.testing import check_dataset
from disentangle_plugins.datasets import celeba

COUNT = 24
NAMES = [f"{number:06}.jpg" for number in range(1, COUNT + 1)]
ATTRIBUTES = ["5_o_Clock_Shadow", "Male", *(f"Attribute_{k}" for k in range(2, 40))]
LABELS = np.random.default_rng(0).integers(0, 2, (COUNT, 40))
PART = [0] * 12 + [1] * 4 + [2] * 8
ZIP, ATTR, SPLIT = "img_align_celeba.zip", "list_attr_celeba.txt", "list_eval_partition.txt"


def jpg(image: np.ndarray | Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        file, "JPEG", **{"quality": 95, **options}
    )
    return file.getvalue()


def face(number: int) -> np.ndarray:
    """Return an image [218, 178, 3]: a slope and noise, and a middle that tells the number."""
    rng = np.random.default_rng(number)
    slope = np.linspace(0, 200, 218)[:, None, None] * np.array([1, 0.5, 0.8])
    image = slope + rng.integers(0, 50, (218, 178, 3))
    image[80:140, 60:120] = 10 * number
    return image.astype(np.uint8)


FACES = {name: jpg(face(number)) for number, name in enumerate(NAMES)}


def attr_text(labels: np.ndarray = LABELS) -> str:
    rows = (
        f"{name} " + " ".join(f"{2 * v - 1:2d}" for v in row) + "\n"
        for name, row in zip(NAMES, labels, strict=True)
    )
    return f"{len(NAMES)}\n" + " ".join(ATTRIBUTES) + " \n" + "".join(rows)


def split_text() -> str:
    return "".join(f"{name} {part}\n" for name, part in zip(NAMES, PART, strict=True))


def write_texts(folder: Path) -> None:
    (folder / ATTR).write_text(attr_text())
    (folder / SPLIT).write_text(split_text())


def write_csvs(folder: Path) -> None:
    """Write the text files as they are on Kaggle."""
    attr = [",".join(["image_id", *ATTRIBUTES])]
    for name, row in zip(NAMES, LABELS, strict=True):
        attr.append(",".join([name, *map(str, 2 * row - 1)]))
    (folder / ATTR).with_suffix(".csv").write_text("\n".join(attr) + "\n")
    split = ["image_id,partition", *(f"{n},{p}" for n, p in zip(NAMES, PART, strict=True))]
    (folder / SPLIT).with_suffix(".csv").write_text("\n".join(split) + "\n")


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("img_align_celeba/", b"")
        for name, content in reversed(files.items()):
            archive.writestr(f"img_align_celeba/{name}", content)
    return path


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def published(folder: Path) -> Path:
    """Write the files as they are published; return the zip."""
    folder.mkdir(exist_ok=True)
    write_texts(folder)
    return write_zip(folder / ZIP, FACES)


def at(folder: Path, **options: Any) -> Location:
    return Location(
        folder=folder / "data" / "celeba",
        downloads=folder / "data" / "downloads",
        name="celeba",
        **options,
    )


def left_behind(folder: Path) -> set[str]:
    found = {path.name for path in (folder / "data").rglob("*") if path.is_file()}
    return found - {".lock"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the published files, and with CelebA prepared from them; not to be changed."""
    folder = tmp_path_factory.mktemp("celeba")
    celeba.open(at(folder, file=published(folder / "files")))
    return folder


@pytest.fixture(scope="module")
def faces(place: Path) -> Labelled:
    opened = celeba.open(at(place))
    assert isinstance(opened, Labelled)
    return opened


def numbers(images: torch.Tensor) -> list[int]:
    """Return what the middles of the images tell."""
    return (images[:, :, 30:34, 30:34].float().mean((1, 2, 3)) / 10).round().int().tolist()


def test_it_describes_itself(faces: Labelled) -> None:
    assert len(faces) == COUNT
    assert faces.image_shape == (3, 64, 64)
    assert list(faces.every_factor) == ATTRIBUTES
    assert set(faces.every_factor.values()) == {2}
    assert (faces.train_split, faces.test_split) == ("train", "test")
    assert "correlated" in faces.dependence


def test_labels_are_those_of_each_image(faces: Labelled) -> None:
    index = np.arange(COUNT)
    assert numbers(faces.images(index)) == index.tolist()
    np.testing.assert_array_equal(faces.every_label(index), LABELS)
    assert list(faces.values["Male"]) == ["no", "yes"]


def test_splits_are_the_published_ones(faces: Labelled) -> None:
    assert {name: index.tolist() for name, index in faces.splits.items()} == {
        "all": list(range(24)),
        "train": list(range(12)),
        "valid": [12, 13, 14, 15],
        "test": list(range(16, 24)),
    }


def test_view_of_a_split_has_its_images_and_labels(faces: Labelled) -> None:
    test = faces.view(split="test")
    assert numbers(test.images([0, 7])) == [16, 23]
    assert isinstance(test, Labelled)
    np.testing.assert_array_equal(test.every_label([0, 7]), LABELS[[16, 23]])


def test_pixels_are_those_of_a_crop_of_148_and_lanczos(faces: Labelled) -> None:
    for number, content in enumerate(FACES.values()):
        image = Image.open(io.BytesIO(content)).crop((15, 35, 163, 183))
        theirs = np.asarray(image.resize((64, 64), Image.Resampling.LANCZOS))
        ours = faces.images([number])[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(ours, theirs)


def folder_with_the_zip(folder: Path) -> Path:
    published(folder)
    return folder


def extracted_beside_the_texts(folder: Path) -> Path:
    write_folder(folder / "img_align_celeba", FACES)
    write_texts(folder)
    return folder / "img_align_celeba"


def folder_above_the_images(folder: Path) -> Path:
    extracted_beside_the_texts(folder)
    return folder


def kaggle(folder: Path) -> Path:
    write_folder(folder / "img_align_celeba" / "img_align_celeba", FACES)
    write_csvs(folder)
    return folder


def kaggles_inner_folder(folder: Path) -> Path:
    return kaggle(folder) / "img_align_celeba" / "img_align_celeba"


@pytest.mark.parametrize(
    "lay",
    [
        folder_with_the_zip,
        extracted_beside_the_texts,
        folder_above_the_images,
        kaggle,
        kaggles_inner_folder,
    ],
)
def test_other_layouts_give_the_same(
    faces: Labelled, tmp_path: Path, lay: Callable[[Path], Path]
) -> None:
    (tmp_path / "files").mkdir()
    opened = celeba.open(at(tmp_path, file=lay(tmp_path / "files")))
    assert opened.fingerprint == faces.fingerprint


def test_files_among_the_downloads_are_found(faces: Labelled, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    published(tmp_path / "data" / "downloads")
    assert celeba.open(at(tmp_path)).fingerprint == faces.fingerprint


def test_lines_may_come_in_any_order(faces: Labelled, tmp_path: Path) -> None:
    path = published(tmp_path / "files")
    count, header, *rows = attr_text().splitlines()
    path.with_name(ATTR).write_text("\n".join([count, header, *reversed(rows)]))
    assert celeba.open(at(tmp_path, file=path)).fingerprint == faces.fingerprint


def test_another_label_is_another_fingerprint(faces: Labelled, tmp_path: Path) -> None:
    path = published(tmp_path / "files")
    labels = LABELS.copy()
    labels[3, 7] ^= 1
    path.with_name(ATTR).write_text(attr_text(labels))
    assert celeba.open(at(tmp_path, file=path)).fingerprint != faces.fingerprint


@pytest.mark.parametrize("name", [ATTR, SPLIT])
def test_a_changed_text_beside_the_zip_makes_them_anew(tmp_path: Path, name: str) -> None:
    path = published(tmp_path / "files")
    first = celeba.open(at(tmp_path, file=path)).fingerprint
    text = (
        attr_text(1 - LABELS)
        if name == ATTR
        else split_text().replace("000024.jpg 2", "000024.jpg 1")
    )
    path.with_name(name).write_text(text + "\n")
    assert celeba.open(at(tmp_path, file=path)).fingerprint != first


def test_faces_have_no_share_held_out_as_they_have_splits(faces: Labelled) -> None:
    male = faces.view(hold_out=["Male=yes"])
    index = male.origin(np.arange(len(male)))
    assert (np.array(PART)[index] == 0).all()
    assert (LABELS[index, 1] == 0).all()
    with pytest.raises(UsageError, match=r"\(train, valid, test\): choose one with --split"):
        faces.view(hold_out=["0.2"])


def test_files_that_are_not_the_published_ones_are_called_so(place: Path, tmp_path: Path) -> None:
    said: list[str] = []
    opened = celeba.open(at(tmp_path, file=place / "files" / ZIP, say=said.append))
    assert opened.source == "; ".join(
        f"{name}, not the published file" for name in (ZIP, ATTR, SPLIT)
    )
    assert sum("not the published file" in line for line in said) == 3


def test_second_opening_reads_no_zip(tmp_path: Path) -> None:
    path = published(tmp_path / "files")
    first = celeba.open(at(tmp_path, file=path)).fingerprint
    path.unlink()
    said: list[str] = []
    assert celeba.open(at(tmp_path, say=said.append)).fingerprint == first
    assert said == []


def test_absent_faces_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DisentangleError, match="is not prepared") as caught:
        celeba.open(at(tmp_path))
    message = str(caught.value)
    assert "disentangle data prepare celeba --file PATH" in message
    assert "disentangle data prepare celeba --download (1,473 MB)" in message
    assert all(remote.urls[0] in message for remote in celeba.ABOUT.files)
    assert "Licence: for non-commercial research" in message


def edited(text: str, number: int, line: str | None) -> str:
    """Return a text with another line, or with none, in place of this one."""
    lines = text.splitlines()
    lines[number : number + 1] = [] if line is None else [line]
    return "\n".join(lines) + "\n"


def with_attributes(line: str | None, number: int = 5) -> Callable[[Path], object]:
    return lambda zipped: zipped.with_name(ATTR).write_text(edited(attr_text(), number, line))


def with_partition(line: str | None) -> Callable[[Path], object]:
    return lambda zipped: zipped.with_name(SPLIT).write_text(edited(split_text(), 5, line))


def with_faces(**changes: bytes) -> Callable[[Path], object]:
    files = {f"{key.removeprefix('_')}.jpg": content for key, content in changes.items()}
    return lambda zipped: write_zip(zipped, {**FACES, **files})


def without_a_face(zipped: Path) -> None:
    write_zip(zipped, {name: FACES[name] for name in NAMES if name != "000007.jpg"})


def twice_in_two_folders(zipped: Path) -> None:
    write_zip(zipped, {**FACES, "again/000007.jpg": FACES["000007.jpg"]})


def truncated(zipped: Path) -> None:
    zipped.write_bytes(zipped.read_bytes()[:-2000])


CMYK = jpg(Image.fromarray(face(6)).convert("CMYK"))
PLUS = "000004.jpg" + "  1" * 40
WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no attributes": (
        lambda zipped: zipped.with_name(ATTR).unlink(),
        f"{ATTR}, which holds the labels or the split, is neither in it",
    ),
    "no partition": (
        lambda zipped: zipped.with_name(SPLIT).unlink(),
        f"{SPLIT}, which holds the labels or the split, is neither in it",
    ),
    "missing image": (
        without_a_face,
        "23 images.* 24: 1 listed images are missing, 0 images are not",
    ),
    "extra image": (
        with_faces(_000099=FACES["000001.jpg"]),
        "0 listed images are missing, 1 images are not listed",
    ),
    "image twice": (twice_in_two_folders, "1 occur twice"),
    "no images": (lambda zipped: write_zip(zipped, {"a.png": b""}), "has 0 images"),
    "few values": (with_attributes(PLUS[:-3]), "'000004.jpg'.*40 values, each one of -1, 1"),
    "many values": (with_attributes(PLUS + " 1"), "'000004.jpg'.*40 values, each one of -1, 1"),
    "values of 0": (
        with_attributes(PLUS.replace(" 1", " 0")),
        "'000004.jpg'.*40 values, each one of -1, 1",
    ),
    "words": (
        with_attributes(PLUS.replace(" 1", " yes")),
        "'000004.jpg'.*40 values, each one of -1, 1",
    ),
    "line twice": (with_attributes(PLUS.replace("004", "003")), "exactly one row for '000003.jpg'"),
    "line missing": (with_attributes(None), "its first line announces 24 rows, got 23"),
    "no count": (with_attributes("24 files", number=0), "its first line announces 24 files rows"),
    "no header": (with_attributes(None, number=1), "exactly one row for '000002.jpg', with"),
    "name twice": (
        with_attributes(" ".join(["Male"] * 40), number=1),
        "two columns have the same name",
    ),
    "fourth split": (
        with_partition("000006.jpg 3"),
        f"{SPLIT}: .*'000006.jpg'.*1 values, each one of 0, 1, 2",
    ),
    "split of none": (with_partition("000006.jpg"), f"{SPLIT}: .*'000006.jpg'"),
    "split missing": (with_partition(None), f"{SPLIT} lists 23"),
    "empty text": (lambda zipped: zipped.with_name(ATTR).write_text(""), "lists no images"),
    "half a header": (
        lambda zipped: zipped.with_name(ATTR).write_text("24\n"),
        "lists no images",
    ),
    "web page": (lambda zipped: zipped.with_name(SPLIT).write_text("<html>\n</html>"), "<html>"),
    "no text": (lambda zipped: zipped.with_name(ATTR).write_bytes(b"\xff\xfe" * 9), "as text"),
    "CMYK": (with_faces(_000007=CMYK), "'img_align_celeba/000007.jpg' in .*zip has mode"),
    "truncated jpeg": (
        with_faces(_000007=FACES["000007.jpg"][:-500]),
        "000007.jpg' in .*zip cannot be decoded",
    ),
    "other size": (with_faces(_000007=jpg(face(6)[:178])), "178 x 178 pixels, expected 178 x 218"),
    "truncated zip": (truncated, "cannot read"),
    "unsafe name": (with_faces(**{"../../evil": b""}), "unsafe path"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_files_are_refused_and_leave_nothing(tmp_path: Path, wrong: str) -> None:
    spoil, reason = WRONG[wrong]
    path = published(tmp_path / "files")
    spoil(path)
    with pytest.raises(DisentangleError, match=reason) as caught:
        celeba.open(at(tmp_path, file=path))
    assert "\n" not in str(caught.value)
    assert left_behind(tmp_path) == set()


def test_faces_without_texts_are_offered_as_bare_images(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", FACES)
    with pytest.raises(DisentangleError, match="disentangle train MODEL") as caught:
        celeba.open(at(tmp_path, file=folder))
    assert str(folder) in str(caught.value)


@pytest.fixture(scope="module")
def run(place: Path, tmp_path_factory: pytest.TempPathFactory) -> disentangle.Run:
    """A run that was trained on the faces, given by their registered name."""
    return disentangle.train(
        "beta-vae",
        "celeba",
        file=place / "files" / ZIP,
        data_dir=place / "data",
        results=tmp_path_factory.mktemp("results"),
        steps=3,
        batch_size=4,
        figures=False,
        device="cpu",
    )


def test_training_takes_the_training_split(run: disentangle.Run) -> None:
    assert run.record.dataset.view == {"split": "train"}
    assert run.record.dataset.images == 12


def test_default_metrics_are_those_of_dependent_attributes(
    run: disentangle.Run, tmp_path: Path
) -> None:
    fast = tmp_path / "fast.toml"
    fast.write_text('about = "ours"\n[knobs.downstream]\nlabels = 100\n')
    lines: list[str] = []
    encoded: list[int] = []
    scores = disentangle.score(
        run,
        protocol=fast,
        progress=lambda done, images: encoded.append(images),
        say=lines.append,
    )
    assert encoded[-1] == 8  # the test split
    assert {"tad", "minimality", "sufficiency", "downstream/100", "explicitness"} <= set(scores)
    assert {"reconstruction/psnr", "tad/attributes"} <= set(scores)
    assert set(scores.unavailable) == {"fid"}
    assert "mig" not in scores
    (line,) = [line for line in lines if "default" in line]
    assert line.startswith("celeba: the default metrics are ")
    assert line.endswith(f", because {celeba.CelebA.dependence}")


def test_explicitness_and_accuracy_stand_beside_the_share_of_each_attribute(
    run: disentangle.Run,
) -> None:
    scores = disentangle.score(run, ["explicitness", "downstream:labels=100"])
    detail = {name: d for record in scores.records for name, d in record.detail.items()}
    ones = LABELS[16:].mean(axis=0)
    varying = [name for name in range(40) if 0 < ones[name] < 1]
    expected = np.maximum(ones, 1 - ones)[varying]
    for metric in ("explicitness", "downstream"):
        shares = detail[f"{metric}/prevalence"]
        assert shares.axes == ("factor",)
        np.testing.assert_allclose(shares.values, expected, atol=0.03)  # of 5,000 draws
    assert len(detail["explicitness/areas"].values) == len(varying)


def test_metric_that_is_named_is_computed_on_the_test_split(run: disentangle.Run) -> None:
    assert 0 <= disentangle.score(run, ["mig"])["mig"] <= 1
    kept = (run.path / "scores.json").read_text()
    assert '"split": "test"' in kept
    assert '"split": "train"' not in kept


def test_run_opens_its_faces_again(run: disentangle.Run) -> None:
    again = disentangle.load_run(run.path).dataset
    assert again.view_record == {"split": "train"}
    assert numbers(again.images([0, 11])) == [0, 11]


def test_it_keeps_the_rules_of_a_dataset(faces: Labelled) -> None:
    for check in check_dataset(faces):
        check()
