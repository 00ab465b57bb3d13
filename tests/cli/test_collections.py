"""Datasets by reference in the commands: a stranger's collection, and files of one's own."""

import json
import shlex

import numpy as np
import pytest
from helpers.training_runs import stop_at
from PIL import Image

import disentangle
from disentangle.errors import DisentangleError
from disentangle.runs.named import load_run
from disentangle.runs.scores import read_scores
from disentangle.runs.train_command import train_command
from disentangle.training.stopping import Interrupted

pytestmark = pytest.mark.usefixtures("strangers")
QUICK = ["--steps", "3", "--batch-size", "4", "--device", "cpu", "--no-figures"]
BOTH = "shelf:squares:split=train+test"


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DISENTANGLE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def pets(tmp_path):
    """A folder of images with a subfolder per class."""
    for i in range(12):
        path = tmp_path / "pets" / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (32, 32), np.uint8)).save(path)
    return tmp_path / "pets"


def trained(command, *words):
    code, out, err = command("train", *words, *QUICK)
    assert code == 0, err
    return load_run(out.strip())


def test_prepared_dataset_is_described_and_listed(command, data_folder):
    code, out, err = command("data", "prepare", "shelf:squares:train+test")
    assert code == 0, err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == f"{BOTH}: 45 images, 3 x 32 x 32"
    assert "source strangers, shelf:squares:split=train+test, resized (from 20 x 20)" in lines
    assert "labelled colour 3, x 5" in lines
    assert "colour red, green, blue" in lines
    assert "splits train 30, test 15" in lines
    rows = json.loads(command("data", "list", "--json")[1])
    (row,) = [row for row in rows if row["dataset"] == BOTH]
    assert row["state"].startswith("ready: 45 images, 0 MB, strangers")
    code, out, _ = command("data", "verify", BOTH)
    assert code == 0
    assert "45 images, unchanged" in out


def test_damaged_images_name_the_command_that_prepares_them(command, data_folder):
    command("data", "prepare", "shelf:squares", "--image-size", "64")
    (images,) = data_folder.rglob("images*.npy")
    images.write_bytes(images.read_bytes()[:-1] + b"x")
    code, _, err = command("data", "verify", "shelf:squares", "--image-size", "64")
    assert code == 1
    assert "`disentangle data prepare shelf:squares --image-size 64`" in err
    code, _, err = command("data", "verify", "shelf:squares")
    assert (code, "is not prepared in" in err) == (1, True)


def test_run_is_trained_on_one_split_and_scored_on_the_other(command):
    run = trained(command, "beta-vae", "shelf:squares:train+test")
    assert run.record.dataset.name == BOTH
    assert run.record.dataset.view == {"split": "train"}
    assert run.path.parts[-3] == "shelf.squares.split=train+test"
    code, _, err = command("score", run.path, "--metric", "mig")
    assert code == 0, err
    (score,) = read_scores(run)
    assert score.view == {"split": "test"}


def test_stopped_training_is_resumed_to_the_same_weights(tmp_path):
    options = {"steps": 6, "batch_size": 4, "figures": False, "device": "cpu"}
    whole = disentangle.train("vae", BOTH, results=tmp_path / "a", **options)
    with pytest.raises(Interrupted):
        disentangle.train("vae", BOTH, results=tmp_path / "b", report=stop_at(3), **options)
    (path,) = (tmp_path / "b").rglob("run.json")
    resumed = disentangle.resume(path.parent, device="cpu", figures=False)
    assert resumed.record.weights == whole.record.weights


@pytest.mark.parametrize("words", [["shelf:squares"], [BOTH, "--image-size", "64"]])
def test_command_of_a_run_trains_the_same_run(command, words):
    run = trained(command, "vae", *words)
    again = shlex.split(train_command(run.record))
    assert load_run(command(*again[1:], "--no-figures")[1].strip()).path == run.path


@pytest.mark.parametrize(
    "words",
    [["hf:./pets"], ["torchvision:ImageFolder", "--file", "pets"]],
)
def test_run_on_ones_own_files_is_opened_from_anywhere(command, pets, tmp_path, monkeypatch, words):
    run = trained(command, "vae", *words)
    assert run.record.dataset.file == str(pets)
    path = run.path.resolve()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = load_run(path)
    assert again.dataset.fingerprint == run.record.dataset.fingerprint
    command_again = shlex.split(train_command(run.record))
    code, _, err = command(*command_again[1:], "--results", path.parents[3], "--no-figures")
    assert (code, "already finished" in err) == (0, True)
    moved = pets.rename(tmp_path / "moved")
    found = load_run(path, file=moved, data_dir=tmp_path / "other")
    assert found.dataset.fingerprint == run.record.dataset.fingerprint


def test_run_whose_files_are_gone_says_how_to_name_them(command, pets, tmp_path):
    run = trained(command, "vae", "hf:./pets")
    pets.rename(tmp_path / "moved")
    with pytest.raises(
        DisentangleError, match=r"trained on the images in .*pets, which were not found"
    ):
        _ = load_run(run.path).dataset


def test_run_of_a_collection_that_is_not_installed_says_so(run):
    run.save_record(dataset=run.record.dataset.model_copy(update={"name": "gone:thing"}))
    with pytest.raises(DisentangleError, match="install the package that opens it"):
        _ = load_run(run.path).dataset


def test_baselines_and_encoders_are_scored_on_a_reference(command, tmp_path):
    code, _, err = command("baselines", "shelf:squares", "--metric", "mig", "--device", "cpu")
    assert code == 0, err
    (tmp_path / "mine.py").write_text("def mean(x):\n    return x.mean((2, 3))\n")
    words = ["--encoder", "mine.py:mean", "--dataset", "shelf:squares", "--metric", "mig"]
    code, out, err = command("score", *words, "--device", "cpu")
    assert code == 0, err
    assert "mig" in out


def test_dataset_without_labels_has_reasons_in_place_of_scores(command, pets):
    run = trained(command, "vae", "hf:./pets:labels=none")
    reason = "needs a dataset that is labelled, but 'hf:./pets:labels=none' is only images"
    code, out, err = command("score", run.path, "--metric", "mig", "--metric", "reconstruction")
    assert code == 0, err
    assert f"mig n/a ({reason})" in err
    assert f"mig: n/a: {reason}" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shelf:circles"], "no 'circles' on the shelf; did you mean 'squares'?"),
        (["shlef:squares"], "cannot be imported: No module named 'shlef'; did you mean 'shelf'?"),
        (["shelf:"], "expected shelf:NAME"),
        (["shelf:fixed", "--image-size", "32"], "images of fixed size, 1 x 64 x 64; omit --image"),
        (["shelf:fixed", "--channels", "3"], "images of fixed size, 1 x 64 x 64; omit --channels"),
        (["shelf:squares", "--image-size", "7"], "expected --image-size from 8 to 1024"),
        (["shelf:squares", "--preset", "higgins2017"], "no settings for vae on shelf:squares"),
        (["hf:./pets", "--download"], "is a path: --download is only for datasets given by name"),
        (["torchvision:MNSIT"], "no dataset 'MNSIT'; did you mean 'MNIST'?"),
    ],
)
def test_wrong_request_is_refused_and_leaves_nothing(command, data_folder, words, message):
    code, _, err = command("train", "vae", *words, *QUICK)
    assert code == 2
    assert message in err
    assert not list(data_folder.rglob("*/*"))


def test_messages_print_the_options_of_a_dataset_as_they_were_typed(command):
    code, _, err = command("data", "prepare", "torchvision:MNIST:train=true,foo=2,bar=1")
    assert code == 2
    assert "'torchvision:MNIST:train=true,foo=2,bar=1' has no option 'foo'" in err


def test_collections_are_listed_and_shown(command):
    code, out, _ = command("list", "collections")
    assert code == 0
    assert "shelf" in out
    assert "Image datasets of torchvision" in out
    assert "train+test" in command("show", "torchvision")[1]
