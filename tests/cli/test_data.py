"""The command line's datasets: listed, prepared, shown, verified, held out, and one's own."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from disentangle.cli.data import listed
from disentangle.data.prepared import Content, Preparation
from disentangle.data.status import short_folder, short_source, state_of
from disentangle.runs.named import load_run

pytestmark = pytest.mark.usefixtures("strangers")
QUICK = ["--steps", "3", "--batch-size", "4", "--device", "cpu", "--no-figures"]


@pytest.fixture
def photos(tmp_path):
    """A folder of nine grey photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(9):
        image = np.full((70, 80), 20 * i, np.uint8)
        Image.fromarray(image).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def npz(tmp_path):
    """A grid of 3 x 4 images as an npz."""
    values = [(x, y) for y in (1, 2, 3, 4) for x in ("a", "b", "c")]
    images = np.array([np.full((64, 64), 10 * k, np.uint8) for k in range(12)])
    np.savez(tmp_path / "own.npz", images=images, factors=np.array(values), names=["x", "y"])
    return tmp_path / "own.npz"


def last(out):
    return out.strip().splitlines()[-1]


def test_list_says_what_there_is_and_what_is_ready(command, photos, tmp_path):
    code, out, _ = command("data", "list", "--data-dir", tmp_path / "data")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "202,599" in lines["celeba"]
    assert "1,473 MB" in lines["celeba"]
    assert "for non-commercial research" in lines["celeba"]
    assert "not available; run `disentangle data prepare celeba" in lines["celeba"]
    assert "generated on first use" in lines["dsprites"]
    assert "generated on first use" in lines["tiny"]
    assert str(tmp_path / "data") in out


def test_list_says_what_is_damaged_or_downloaded(command, tmp_path):
    for name in ("data/dsprites", "data/downloads"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data/dsprites/prepared.json").write_text("{}")
    (tmp_path / "data/downloads/3dshapes.h5").write_text("")
    _, out, _ = command("data", "list", "--data-dir", "data")
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "will be prepared again" in lines["dsprites"]
    assert "downloaded, not prepared" in lines["shapes3d"]


def test_list_shows_own_images_and_what_is_truncated(command, photos, npz):
    for path in (photos, npz):
        assert command("data", "prepare", path, "--data-dir", "data")[0] == 0
    (images,) = Path("data").rglob("own.npz-*/*/images-*.npy")
    with images.open("rb+") as file:
        file.truncate(1000)
    _, out, _ = command("data", "list", "--data-dir", "data")
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "ready: 9 images" in lines["./photos"]
    assert "in own/photos-" in lines["./photos"]
    assert "damaged" in lines["./own.npz"]


def test_state_does_not_tell_a_source_at_any_length(tmp_path):
    content = Content(blocks=[np.zeros((1, 2), np.uint8)], shape=(1, 2), source=500 * "x")
    Preparation(folder=tmp_path, version=1).get(lambda stack: content)
    assert state_of(tmp_path).endswith(f", {57 * 'x'}...")


def test_list_cuts_sources_at_commas_and_keeps_folders_short():
    source = "datasets 5.2.0, cats.parquet, split train, images in 'photo', labels breed"
    assert short_source(source) == "datasets 5.2.0, cats.parquet, split train, ..."
    name = f"hf%3A.%2Fcats.parquet%3Aimage%3D{50 * 'x'}-b34d1e7255"
    assert short_folder(Path("references", name, "64x1")) == "references/*-b34d1e7255/64x1"
    short = Path("own", "photos-b34d1e7255", "64x1")
    assert short_folder(short) == str(short)


def test_data_folder_that_is_a_file_is_an_error(command, tmp_path):
    (tmp_path / "file").touch()
    code, out, err = command("data", "list", "--data-dir", "file")
    assert (code, out) == (1, "")
    assert "file is not a folder: choose another one with --data-dir" in err


@pytest.mark.parametrize("name", ["photos", "own.zip"])
@pytest.mark.parametrize("words", [["train", "vae"], ["data", "prepare"], ["data", "verify"]])
def test_path_that_looks_like_a_name_is_suggested_as_a_path(command, photos, tmp_path, name, words):
    (tmp_path / "own.zip").touch()
    code, _, err = command(*words, name)
    assert code == 2
    assert f"no dataset '{name}'; did you mean ./{name}" in err


def test_interrupt_of_a_preparation_is_said(command, photos, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("disentangle.data.user_images.survey", interrupted)
    code, _, err = command("data", "prepare", photos)
    assert code == 130
    assert last(err) == "error: interrupted"


@pytest.mark.parametrize("words", [["data", "prepare"], ["train", "vae"], ["data", "sheet"]])
def test_set_that_is_not_there_names_the_commands_the_address_and_the_licence(
    command, tmp_path, words
):
    code, out, err = command(*words, "chairs", "--data-dir", tmp_path / "data")
    assert code == 1
    assert out == ""
    for said in (
        "disentangle data prepare chairs --file PATH",
        "disentangle data prepare chairs --download",
        "https://www.di.ens.fr/willow/research/seeing3Dchairs/data/rendered_chairs.tar",
        "for research",
    ):
        assert said in err
    assert not (tmp_path / "results").exists()


def test_preparation_of_own_images_says_what_they_are(command, photos):
    code, out, _ = command("data", "prepare", "./photos")
    assert code == 0
    assert out.startswith("./photos: 9 images, 1 x 64 x 64")


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["square", "ellipse", "heart"], "square, ellipse, heart"),
        (["0.0", "0.14285714285714285", "1e-05", "123456.7"], "0, 0.1429, 1e-05, 1.235e+05"),
        (["1.00001", "1.00002", "1.00003"], "1.00001, 1.00002, 1.00003"),
        (["11", "34", "104"], "11, 34, 104"),
        (["0.0", "1.0", "2.0"], ""),
        (["0", "1", "2", "3"], ""),
        (["no", "yes"], ""),
        (
            [str(i / 10) for i in range(13)],
            "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, ...",
        ),
    ],
)
def test_values_of_factors_are_listed_if_they_say_more_than_their_number(names, line):
    assert listed(names) == line


def test_preparation_lists_real_values_in_few_digits(command, tmp_path):
    x = np.linspace(0, 1, 8).repeat(2)
    images = np.random.default_rng(0).integers(0, 256, (16, 64, 64), np.uint8)
    factors = np.stack([x, np.tile([0, 1], 8)], 1)
    np.savez(tmp_path / "reals.npz", images=images, factors=factors, names=["x", "y"])
    code, out, _ = command("data", "prepare", "./reals.npz")
    assert code == 0
    assert "x            0, 0.1429, 0.2857, 0.4286, 0.5714, 0.7143, 0.8571, 1\n" in out


def test_own_images_are_verified(command, photos):
    command("data", "prepare", "./photos")
    code, out, _ = command("data", "verify", "./photos")
    assert code == 0
    assert "9 images, unchanged" in out


def test_own_images_are_shown_in_one_picture(command, photos, tmp_path):
    code, out, _ = command("data", "sheet", "./photos")
    assert (code, last(out)) == (0, "photos.png")
    with Image.open(tmp_path / "photos.png") as picture:
        assert picture.width > 500


def test_run_on_own_images_opens_them_again(command, photos, tmp_path):
    code, out, _ = command("train", "vae", "./photos", *QUICK)
    assert code == 0
    run = load_run(tmp_path / last(out))
    assert "default/photos/vae" in str(run.path)
    assert run.record.dataset.file == str(photos)
    assert len(run.dataset) == 9


def test_scores_of_images_without_labels_are_unavailable(command, photos):
    _, out, _ = command("train", "vae", "./photos", *QUICK)
    code, out, err = command("score", last(out))
    assert code == 1
    assert "n/a" in out
    assert "error: no score could be computed: needs a dataset that is labelled" in err


def test_size_and_channels_of_own_images_are_chosen_and_reopened(command, photos, tmp_path):
    code, out, _ = command("train", "vae", "./photos", *QUICK, "--channels", 3)
    assert code == 0
    run = load_run(tmp_path / last(out))
    assert run.record.dataset.image_shape == run.dataset.image_shape == (3, 64, 64)
    code, _, err = command("train", "vae", "tiny", *QUICK, "--channels", 3)
    assert code == 2
    assert "'tiny' has images of fixed size" in err


def test_damage_is_found_by_verify_and_mended_by_prepare(command, npz, tmp_path):
    data_dir = ["--data-dir", tmp_path / "data"]
    assert command("data", "prepare", npz, *data_dir)[0] == 0
    (images,) = (tmp_path / "data").rglob("images-*.npy")
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    code, _, err = command("data", "verify", npz, *data_dir)
    assert code == 1
    assert "the images have changed" in err
    assert command("data", "prepare", npz, *data_dir)[0] == 0
    assert command("data", "verify", npz, *data_dir)[0] == 0


def test_broken_manifest_is_told_in_words_with_a_command_that_works(command, npz, tmp_path):
    options = ["--data-dir", tmp_path / "my data", "--channels", 3]
    assert command("data", "prepare", npz, *options)[0] == 0
    (manifest,) = (tmp_path / "my data").rglob("prepared.json")
    manifest.write_text('{"version": 1}')
    code, _, err = command("data", "verify", npz, *options)
    assert code == 1
    assert "prepared.json is damaged or from another version. Delete this folder, then run" in err
    typed = shlex.split(err.partition("then run `disentangle ")[2].partition("`")[0])
    shutil.rmtree(manifest.parent)
    assert command(*typed)[0] == 0
    assert command("data", "verify", npz, *options)[0] == 0


def test_command_for_a_set_that_is_not_drawn_says_from_where(command, tmp_path):
    for name, advice in (("dsprites", "dsprites --data-dir d`"), ("cars3d", "d --file PATH` (or")):
        _, _, err = command("data", "verify", name, "--data-dir", "d")
        assert advice in err


def test_verify_of_what_is_not_prepared_says_how_to(command, tmp_path):
    code, _, err = command("data", "verify", "chairs", "--data-dir", tmp_path)
    assert code == 1
    assert "disentangle data prepare chairs" in err


def test_show_lists_the_settings_of_a_dataset_that_is_not_prepared(command, tmp_path):
    code, out, _ = command("data", "show", "Shapes3D", "--data-dir", tmp_path / "data")
    assert code == 0
    assert out.splitlines()[0].startswith("shapes3d: 480,000 images, not available; run `")
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines() if line}
    assert lines["pair-1"] == "floor_hue,wall_hue; sigma 0.1"
    assert lines["two-pairs-1"] == "scale,floor_hue and shape,wall_hue; sigma 0.4 or 0.1 or 0.04"
    assert "Roth et al. (2023)" in out
    assert lines["montero-shape2fhue"] == "shape 3 with floor hues from 0.5"
    assert not (tmp_path / "data").exists()


def test_show_says_which_settings_are_our_own(command):
    _, out, _ = command("data", "show", "chairs-parametric")
    assert "disentangle's own" in out


def test_show_describes_a_dataset_that_is_ready_or_needs_no_files(command, npz):
    code, out, err = command("data", "show", "tiny")
    assert code == 0
    assert "tiny: 75 images, 1 x 64 x 64" in out
    assert "colour 1 (not scored), side 3, x 5, y 5" in out
    assert "Correlated factors" not in out
    assert "`disentangle data sheet tiny`" in out + err
    assert "own.npz: 12 images" in command("data", "show", npz)[1]


def test_show_says_kinds_and_the_range_of_real_numbers(command, tmp_path):
    images = np.arange(90, dtype=np.uint8)[:, None, None] * np.ones((1, 32, 32), np.uint8)
    about = {"names": ["height", "azimuth", "size", "turn"]}
    about["kinds"] = ["", "cyclic=360", "ordinal", "cyclic=4"]
    few = np.arange(90) % 3
    factors = np.stack([np.linspace(-1.5, 2, 90), np.arange(90) * 4, 2.0**few, few], 1)
    np.savez(tmp_path / "real.npz", images=images, factors=factors, **about)
    code, out, err = command("data", "show", "./real.npz")
    assert code == 0, err
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert ["labelled", "height, azimuth, size 3, turn 3"] in lines
    assert ["height", "continuous, -1.5 to 2"] in lines
    assert ["azimuth", "cyclic, period 360, 0 to 356"] in lines
    assert ["size", "ordinal: 1, 2, 4"] in lines
    assert ["turn", "cyclic, period 4, 0 to 2"] in lines


@pytest.fixture
def held_out(command, npz, tmp_path):
    """A run that two combinations were held out of."""
    words = ["--hold-out", "x=a,y=2", "--hold-out", "x=c,y=4"]
    code, out, err = command("train", "vae", npz, *QUICK, *words)
    assert code == 0, err
    return load_run(tmp_path / last(out))


def test_held_out_combinations_are_recorded_in_the_run(held_out):
    view = {"split": "train", "hold_out": ("x=a,y=2", "x=c,y=4")}
    assert held_out.record.dataset.view == view
    assert held_out.record.dataset.images == 10


def test_table_says_what_was_held_out_and_what_was_scored(command, held_out):
    code, out, _ = command("score", "--metric", "mig", "--split", "all", "--factors", "y")
    assert code == 0
    assert "split train, held out x=a,y=2 and x=c,y=4" in out
    assert "Scored on: split all" in out


def test_score_records_what_it_was_computed_on(command, held_out):
    command("score", "--metric", "mig", "--split", "all", "--factors", "y")
    (score,) = json.loads((held_out.path / "scores.json").read_text())["scores"]
    assert score["factors"] == ["y"]
    assert score["view"] == {
        "split": "all",
        "hold_out": ["x=a,y=2", "x=c,y=4"],
        "factors": ["y"],
    }


def test_correlated_run_is_scored_on_uncorrelated_images_and_named_in_its_own_table(
    command, tmp_path
):
    code, out, err = command("train", "vae", "tiny", *QUICK, "--correlate", "side,x=0.1")
    assert code == 0, err
    assert "correlated factors side,x=0.1: training draws images by weight" in err
    run = load_run(tmp_path / last(out))
    assert run.record.dataset.view == {"correlate": ("side,x=0.1",)}
    plain = last(command("train", "vae", "tiny", *QUICK)[1])
    code, out, _ = command("score", "--metric", "mig")
    assert code == 0
    assert out.count("Trained on: tiny (") == 1
    assert out.count("Trained on: tiny, correlated side,x=0.1 (") == 1
    assert out.count("Scored on: all images.") == 1
    (score,) = json.loads((run.path / "scores.json").read_text())["scores"]
    assert score["view"] == {}
    code, _, err = command("udr", run.path, plain)
    assert code == 2
    assert "UDR needs runs that were trained on the same images" in err


def test_correlated_run_that_holds_out_is_scored_on_what_it_did_not_see(command, npz, tmp_path):
    words = ["--hold-out", "0.5", "--correlate", "x,-y=0.5"]
    _, out, _ = command("train", "vae", npz, *QUICK, *words)
    run = load_run(tmp_path / last(out))
    assert command("score", run.path, "--metric", "mig")[0] == 0
    (score,) = json.loads((run.path / "scores.json").read_text())["scores"]
    assert score["view"] == {"split": "test", "hold_out": ["0.5"], "hold_out_seed": 0}


@pytest.mark.parametrize(
    ("dataset", "spec", "message"),
    [
        ("shapes3d", "pair-9", "shapes3d has no setting 'pair-9'; did you mean 'pair-"),
        ("shapes3d", "floor_hue,wall_hue=0", "expected a finite width above 0"),
        ("tiny", "side,z=0.1", "tiny has no factor 'z'"),
        ("tiny", "side,side=0.1", "expected two factors, got 'side' twice"),
        ("tiny-photos", "a,b=0.1", "tiny-photos has no labels, so no factors to correlate"),
    ],
)
def test_correlation_that_makes_no_sense_is_one_line(command, dataset, spec, message, tmp_path):
    code, out, err = command("train", "vae", dataset, *QUICK, "--correlate", spec)
    assert code == 2
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "results").exists()


def test_run_that_holds_out_is_scored_on_what_it_did_not_see(command, npz, tmp_path):
    _, out, _ = command("train", "vae", npz, *QUICK, "--holdout", "0.5", "--hold-out-seed", 3)
    run = load_run(tmp_path / last(out))
    assert run.record.dataset.view["hold_out_seed"] == 3
    assert command("score", run.path, "--metric", "mig")[0] == 0
    (score,) = json.loads((run.path / "scores.json").read_text())["scores"]
    assert score["view"]["split"] == "test"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hold-out", "z=1"], "no factor 'z'"),
        (["--split", "train"], "no split 'train'"),
        (["--factors", "z"], "no factor 'z'"),
        (["--image-size", "4"], "expected --image-size from 8 to 1024"),
        (["--channels", "2"], "expected --channels 1 (grey) or 3 (RGB)"),
        (["--download"], "--download is only for datasets given by name"),
    ],
)
def test_choice_that_makes_no_sense_is_bad_usage(command, npz, words, message):
    code, _, err = command("train", "vae", npz, *QUICK, *words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    ("words", "what"), [(["--file", "x"], "file"), (["--download"], "--download")]
)
def test_file_that_a_dataset_does_not_take_is_refused(command, words, what):
    code, _, err = command("train", "vae", "tiny", *QUICK, *words)
    assert code == 2
    assert f"'tiny' does not accept {what}" in err


def test_grid_and_labels_are_shown_one_row_a_factor(command, npz, tmp_path):
    code, out, _ = command("data", "sheet", "tiny", "--output", "deep/tiny.png")
    assert (code, last(out)) == (0, "deep/tiny.png")
    assert (tmp_path / "deep" / "tiny.png").exists()


def test_vectors_are_shown_without_a_sheet_and_there_is_nothing_to_verify(command, tmp_path):
    name = "ica-mixing:laplace:images=200"
    code, out, err = command("data", "show", name, "--data-dir", tmp_path)
    assert code == 0
    assert f"{name}: 200 vectors, 5 numbers" in out
    assert re.search(r"source_5 +continuous, -\d+", out)
    assert "sheet" not in out + err
    code, _, err = command("data", "show", name, "--image-size", 32, "--data-dir", tmp_path)
    assert (code, "has vectors, not images" in err) == (2, True)
    code, _, err = command("data", "sheet", name, "--data-dir", tmp_path)
    assert (code, "has vectors, not images" in err) == (1, True)
    code, _, err = command("data", "verify", name, "--data-dir", tmp_path)
    assert (code, "nothing is kept to verify" in err) == (1, True)
    code, _, err = command("train", "vae", name, "--data-dir", tmp_path, *QUICK)
    assert (code, "has vectors, and models are trained on images" in err) == (2, True)
