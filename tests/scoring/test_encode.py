"""Codes written to files: what they hold, and that they score as the run does."""

import csv
import json
import sys

import numpy as np
import pytest

import disentangle
from disentangle.errors import DisentangleError, UsageError
from disentangle.scoring import encode as encoding
from disentangle.scoring.arrays import array_source
from disentangle.scoring.code_files import read_codes
from disentangle.scoring.codes import RunSource

EACH_ROW_ONCE = ("mig", "mig-sup", "jemmig", "dcimig", "total-correlation", "mcc")
"""Metrics that fit nothing: under the protocol `disjoint` they take each row once."""


def test_npz_holds_the_codes_the_factors_and_what_made_them(run, tmp_path):
    (path,) = disentangle.encode(run, tmp_path / "codes.npz", device="cpu")
    with np.load(path) as arrays:
        codes = run.code(run.dataset.images(np.arange(75)))
        np.testing.assert_allclose(arrays["codes"], code := codes.mean.numpy(), atol=1e-6)
        np.testing.assert_allclose(arrays["scales"], codes.scale.numpy(), rtol=1e-5)
        assert arrays["codes"].dtype == code.dtype
        np.testing.assert_array_equal(arrays["factors"], run.dataset.labels(np.arange(75)))
        assert arrays["names"].tolist() == ["side", "x", "y"]
        np.testing.assert_array_equal(arrays["index"], np.arange(75))
        about = json.loads(arrays["about"].item())
    assert about["run"] == run.record.id
    assert about["weights"] == run.record.weights
    assert about["dataset"] == "tiny"
    assert about["images"] == 75


def test_blocks_make_the_same_file(run, tmp_path, monkeypatch):
    (whole,) = disentangle.encode(run, tmp_path / "whole.npz", device="cpu")
    monkeypatch.setattr(encoding, "BLOCK", 20)
    for suffix in ("npz", "csv"):
        disentangle.encode(run, tmp_path / f"blocks.{suffix}", device="cpu")
    with np.load(whole) as a, np.load(tmp_path / "blocks.npz") as b:
        for name in (*a.files, *b.files):
            np.testing.assert_array_equal(a[name], b[name])
    arrays = read_codes(tmp_path / "blocks.csv")
    with np.load(whole) as a:
        np.testing.assert_array_equal(arrays["codes"].astype(np.float32), a["codes"])


@pytest.fixture
def held_out(strangers, tmp_path):
    options = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
    return disentangle.train("vae", "tiny", hold_out=["0.8"], results=tmp_path / "h", **options)


def test_files_score_as_the_run(command, held_out, tmp_path):
    run = held_out
    metrics = [word for name in EACH_ROW_ONCE for word in ("--metric", name)]
    metrics += ["--protocol", "disjoint", "--json"]
    code, out, err = command("score", run.path, *metrics)
    assert code == 0, err
    ((_, expected),) = json.loads(out).items()
    of_means = {k: v for k, v in expected["scores"].items() if not k.endswith("(sample)")}
    assert len(of_means) >= len(EACH_ROW_ONCE)
    for file in (tmp_path / "codes.npz", tmp_path / "codes.csv"):
        assert command("encode", run.path, "-o", file)[0] == 0
        code, out, err = command("score", "--codes", file, *metrics)
        assert code == 0, err
        assert json.loads(out)["scores"] == of_means


def test_csv_has_a_column_for_each_latent_scale_and_factor(run, tmp_path):
    path, beside = disentangle.encode(run, tmp_path / "codes.csv", factors=["x"], device="cpu")
    with path.open(newline="") as file:
        head, *rows = csv.reader(file)
    numbers = range(10)
    assert head == ["", *(f"code_{d}" for d in numbers), *(f"scale_{d}" for d in numbers), "x"]
    assert [row[-1] for row in rows[:6]] == ["0", "0", "0", "0", "0", "1"]
    assert json.loads(beside.read_text())["view"] == {"factors": ["x"]}


def test_parquet_is_read_back(run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (path,) = disentangle.encode(run, tmp_path / "codes.parquet", device="cpu")
    table = parquet.read_table(path)
    assert table.column_names[0] == "image"
    np.testing.assert_array_equal(table["side"], run.dataset.labels(np.arange(75))[:, 0])
    source = RunSource(run)
    np.testing.assert_array_equal(table["code_3"], source.codes(np.arange(75))[:, 3])
    about = json.loads(table.schema.metadata[b"disentangle"])
    assert about["run"] == run.record.id


def test_uneven_numbers_of_a_factor_are_written(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run.dataset, "numbers", {"x": (0.5, 1.0, 2.0, 4.0, 8.0)})
    (path,) = disentangle.encode(run, tmp_path / "codes.npz", device="cpu")
    arrays = read_codes(path)
    assert sorted(set(arrays["factors"][:, 1])) == [0.5, 1, 2, 4, 8]
    path, _ = disentangle.encode(run, tmp_path / "codes.csv", device="cpu")
    rows = read_codes(path)["factors"]
    assert set(rows[:, 0]) == {"0", "1", "2"}
    assert set(rows[:, 1]) == {"0.5", "1.0", "2.0", "4.0", "8.0"}


@pytest.fixture
def real_images(run, tmp_path):
    """Images with a continuous factor, a cyclic one, and one of few images per value."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, 40, 40, 3), dtype=np.uint8)
    values = np.stack([rng.normal(size=120), rng.uniform(-180, 180, 120), np.arange(120) // 2], 1)
    about = {"names": ["height", "azimuth", "identity"]}
    about["kinds"] = ["", "cyclic=360", "categorical"]
    np.savez(tmp_path / "real.npz", images=images, factors=values, **about)
    options = {"image_size": 64, "channels": 1, "data_dir": tmp_path / "d"}
    return disentangle.load_dataset(str(tmp_path / "real.npz"), **options)


@pytest.mark.parametrize("form", ["npz", "csv", "parquet"])
def test_real_factors_are_written_as_numbers_with_their_kinds(run, real_images, tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"codes.{form}"
    disentangle.encode(run, path, dataset=real_images, device="cpu")
    arrays = read_codes(path)
    assert arrays["kinds"] == {
        "height": "continuous",
        "azimuth": "cyclic=360",
        "identity": "categorical",
    }
    source, index = array_source(**arrays), np.arange(120)
    own = real_images.every_label(index)
    np.testing.assert_array_equal(source.labels(index), own)
    for name in ("height", "azimuth"):
        np.testing.assert_array_equal(source.dataset.numbers[name], real_images.numbers[name])
    assert (source.dataset.kinds, set(source.dataset.real_factors)) == (
        {"height": "continuous", "azimuth": "cyclic=360"},
        {"height", "azimuth"},
    )


def test_kind_that_would_merge_values_is_not_written(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run.dataset, "kinds", {"x": "cyclic=4", "y": "cyclic=5"})
    (path,) = disentangle.encode(run, tmp_path / "codes.npz", device="cpu")
    arrays = read_codes(path)
    assert arrays["kinds"] == {"side": "categorical", "y": "cyclic=5"}
    labels = array_source(**arrays).labels(np.arange(75))
    np.testing.assert_array_equal(labels, run.dataset.labels(np.arange(75)))


def test_dataset_without_labels_has_codes_alone(command, run, tmp_path):
    file = tmp_path / "codes.npz"
    assert command("encode", run.path, "tiny-photos", "-o", file)[0] == 0
    with np.load(file) as arrays:
        assert set(arrays) == {"codes", "scales", "names", "index", "about"}
        assert not len(arrays["names"])
        assert arrays["codes"].shape == (75, 10)


def test_own_images_are_brought_to_the_shape_of_the_runs(command, run, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 40, 40, 3), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images)
    code, out, err = command("encode", run.path, "./own.npz", "-o", "codes.npz", "--data-dir", "d")
    assert (code, out) == (0, "codes.npz\n"), err
    with np.load("codes.npz") as arrays:
        assert arrays["codes"].shape == (30, 10)


def test_discrete_code_has_no_scales(strangers, tmp_path):
    options = {"steps": 1, "batch_size": 8, "figures": False, "device": "cpu"}
    run = disentangle.train("qlae", "tiny", results=tmp_path, **options)
    (path,) = disentangle.encode(run, tmp_path / "codes.npz", device="cpu")
    with np.load(path) as arrays:
        assert "scales" not in arrays


def test_existing_file_is_replaced_only_by_force(command, run, tmp_path):
    file = tmp_path / "codes.npz"
    file.write_text("mine")
    code, _, err = command("encode", run.path, "-o", file)
    assert code == 1
    assert err == (
        f"error: {file} already exists and is not overwritten: give another name, or add "
        "`--force`\n"
    )
    assert file.read_text() == "mine"
    assert command("encode", run.path, "-o", file, "--force")[0] == 0
    assert file.read_bytes()[:2] == b"PK"


def test_users_file_in_the_place_of_a_description_is_kept(run, tmp_path):
    (tmp_path / "codes.csv.json").write_text("mine")
    with pytest.raises(DisentangleError, match=r"codes\.csv\.json already exists"):
        disentangle.encode(run, tmp_path / "codes.csv")
    assert [path.name for path in tmp_path.glob("codes*")] == ["codes.csv.json"]


def test_other_shape_is_refused(run, tmp_path):
    class Colour(type(run.dataset)):
        image_shape = (3, 64, 64)
        name = "colour"

        def images(self, index):
            return super().images(index).expand(-1, 3, -1, -1)

    with pytest.raises(DisentangleError, match="expected images of 64x64 with 1 channel, as it"):
        disentangle.encode(run, tmp_path / "codes.npz", dataset=Colour())
    assert not (tmp_path / "codes.npz").exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("codes.mat", r"codes\.mat: expected a file that ends with \.npz, \.csv or \.parquet"),
        ("no/codes.npz", "expected a file in an existing folder"),
    ],
)
def test_wrong_output_is_refused_at_once(run, tmp_path, monkeypatch, file, message):
    monkeypatch.setattr(type(run), "model", None)  # nothing is loaded
    with pytest.raises(UsageError, match=message):
        disentangle.encode(run, tmp_path / file)


def test_missing_pyarrow_is_one_line(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DisentangleError, match=r"needs the package pyarrow\. Run `pip install pya"):
        disentangle.encode(run, tmp_path / "codes.parquet")


def test_missing_weights_are_one_line(command, run):
    run.checkpoint_path.unlink()
    code, _, err = command("encode", run.path, "-o", "codes.npz")
    assert code == 1
    assert err.count("\n") == 1
    assert "checkpoint" in err


def test_full_folder_leaves_no_file(run, tmp_path, monkeypatch):
    def full(path, table):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(encoding.write_table.__globals__["WRITERS"], ".npz", full)
    with pytest.raises(DisentangleError, match=r"codes\.npz: cannot be written: No space left"):
        disentangle.encode(run, tmp_path / "codes.npz", device="cpu")
    assert not list(tmp_path.glob("*codes*"))
