"""Presets: papers' settings, under what the user gives and above everything else."""

from itertools import product

import numpy as np
import pytest
import torch

from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import check
from disentangle.errors import OldSpelling, UsageError
from disentangle.runs.named import load_run
from disentangle.training.configuration import ModelRequest
from disentangle.training.preset import known_presets, load_preset
from disentangle.training.train import resume, train

OPTIONS = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
PRESETS = known_presets()
PAIRS = [
    (name, model, dataset)
    for name, preset in PRESETS.items()
    for model, dataset in product(preset.models, preset.datasets)
]
HIGGINS = (
    "preset 'higgins2017' has no settings for {} on {}, only for vae and beta-vae on dsprites, "
    "chairs-grey and celeba; to use its values for {} on dsprites, give them as options: "
    "`--network higgins-fc --likelihood bernoulli --latents 10{} --optimizer adagrad --lr 0.01`"
)


@pytest.fixture
def sprites(strangers):
    """A tiny dataset under the name of one that papers have."""
    opened = registry.datasets.load("tiny")(None)
    opened.name = "dsprites"
    return opened


def record_of(model, dataset, preset, given):
    """The record of a run before it starts."""
    request = ModelRequest.of(model, given, preset)
    return request.on(dataset, device=torch.device("cpu")).record


def test_presets_are_the_papers():
    assert sorted(PRESETS) == [
        "baykal2024",
        "burgess2018",
        "higgins2017",
        "hsu2023",
        "hsu2024",
        "klindt2021",
        "locatello2019",
        "locatello2020",
        "montero2021",
        "replication",
        "roth2023",
        "traeuble2021",
    ]
    assert all(preset.about for preset in PRESETS.values())


@pytest.mark.parametrize(("name", "model", "dataset"), PAIRS)
def test_preset_has_all_that_it_says_it_has(name, model, dataset):
    settings = PRESETS[name].merged(model, dataset)
    swept = [len(values) for values in settings.sweep.values()]
    for i in range(swept[0] if swept else 1):
        point = {knob: values[i] for knob, values in settings.sweep.items()}
        check(registry.models.load(model), {**settings.model, **point}, "preset")
    assert len(set(swept)) <= 1
    check(Training, settings.training, "preset")
    assert settings.model.get("network", "conv") in registry.networks.entries
    assert {"optimizer", "lr"} <= set(settings.training)


@pytest.mark.parametrize("name", PRESETS)
def test_entries_of_a_preset_are_for_its_own_models_and_datasets(name):
    preset = PRESETS[name]
    assert set(preset.models) <= set(registry.models.entries)
    assert set(preset.datasets) <= set(registry.datasets.entries)
    for settings in preset.settings:
        assert set(settings.models or preset.models) <= set(preset.models)
        assert set(settings.datasets or preset.datasets) <= set(preset.datasets)


def test_higgins_settings_depend_on_the_dataset():
    higgins = load_preset("higgins2017")
    sprites = higgins.choose("higgins2017", "beta-vae", "dsprites")
    chairs = higgins.choose("higgins2017", "beta-vae", "chairs-grey")
    assert (sprites.model["network"], sprites.training["optimizer"]) == ("higgins-fc", "adagrad")
    assert (chairs.model["latents"], chairs.model["beta"]) == (32, 5.0)
    assert "beta" not in higgins.choose("higgins2017", "vae", "chairs-grey").model


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("model", ["factor-vae", "qlae", "ada-gvae"])
def test_no_preset_is_of_a_model_that_its_paper_never_had(name, model):
    if model in PRESETS[name].models:
        return
    with pytest.raises(UsageError, match=f"has no settings for {model} on dsprites, only for"):
        PRESETS[name].choose(name, model, "dsprites")


@pytest.mark.parametrize(
    ("model", "dataset", "nearest", "own"),
    [
        ("factor-vae", "dsprites", "vae", ""),
        ("beta-vae", "shapes3d", "beta-vae", " --beta 4.0"),
        ("beta-vae", "./dsprites", "beta-vae", " --beta 4.0"),
    ],
)
def test_refusal_names_what_the_preset_has_and_its_values_as_options(model, dataset, nearest, own):
    with pytest.raises(UsageError) as refused:
        load_preset("higgins2017").choose("higgins2017", model, dataset)
    assert str(refused.value) == HIGGINS.format(model, dataset, nearest, own)


def test_options_of_a_refusal_train_with_the_presets_values(command, strangers, sprites, tmp_path):
    code, _, err = command("train", "vae", "tiny", "--preset", "higgins2017")
    assert code == 2
    options = err.replace("\n", " ").partition("options: `")[2].partition("`")[0].split()
    assert "--network" in options
    short = ["--steps", "1", "--batch-size", "8", "--no-figures", "--device", "cpu"]
    code, out, err = command("train", "vae", "tiny", *options, *short)
    assert code == 0, err
    record = load_run(tmp_path / out.strip()).record
    assert (record.preset, record.origin) == (None, "by hand")
    assert record.knobs["network"] == "higgins-fc"


def test_unknown_presets_and_datasets_are_refused(strangers, tmp_path):
    with pytest.raises(UsageError, match="no preset 'higgins'; did you mean 'higgins2017'"):
        train("vae", "tiny", preset="higgins", results=tmp_path, **OPTIONS)
    with pytest.raises(UsageError, match="'higgins2017' has no settings for vae on tiny, only for"):
        train("vae", "tiny", preset="higgins2017", results=tmp_path, **OPTIONS)
    assert not list(tmp_path.iterdir())


def test_own_images_are_not_a_papers_dataset_by_their_folders_name(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (16, 64, 64), dtype=np.uint8)
    np.savez(tmp_path / "dsprites.npz", images=images)
    own = str(tmp_path / "dsprites.npz")
    with pytest.raises(UsageError, match=r"has no settings for vae on .*dsprites\.npz, only for"):
        train("vae", own, preset="higgins2017", results=tmp_path / "results", **OPTIONS)


def test_refusal_comes_before_the_dataset_is_prepared(strangers, tmp_path, monkeypatch):
    monkeypatch.setattr("disentangle.data.request.load_dataset", None)
    with pytest.raises(UsageError, match="no settings for ada-gvae on dsprites"):
        train("ada-gvae", "dsprites", preset="locatello2019", results=tmp_path, **OPTIONS)


def test_run_records_the_preset_and_what_overrides_it(sprites, tmp_path):
    run = train(
        "annealed-vae", sprites, preset="burgess2018", latents=4, results=tmp_path, **OPTIONS
    )
    settings, training = run.record.settings, run.record.training
    assert run.record.preset == "burgess2018"
    assert (settings["capacity"].value, settings["capacity"].origin) == (25.0, "preset")
    assert (settings["latents"].value, settings["latents"].origin) == (4, "given")
    assert (training["lr"].value, training["lr"].origin) == (5e-4, "preset")
    assert (training["steps"].value, training["steps"].origin) == (2, "given")
    assert run.record.origin == "preset burgess2018, changed"


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({}, "preset burgess2018"),
        ({"capacity": 25.0}, "preset burgess2018"),
        ({"network": "burgess", "batch_size": 64}, "preset burgess2018"),
        ({"network": "conv"}, "preset burgess2018, changed"),  # conv is the plugin's default
        ({"lr": 1e-4}, "preset burgess2018, changed"),  # so is this rate
        ({"capacity": 20.0}, "preset burgess2018, changed"),
    ],
)
def test_preset_is_changed_by_what_differs_from_it(sprites, given, origin):
    assert record_of("annealed-vae", sprites, "burgess2018", given).origin == origin


def test_value_that_would_do_nothing_is_left_out_of_a_preset(sprites, tmp_path):
    sprites.name = "shapes3d"
    options = {"preset": "hsu2023", "results": tmp_path, **OPTIONS}
    kept = train("qlae", sprites, **options).record.training["weight_decay"]
    assert (kept.value, kept.origin) == (0.1, "preset")
    left = train("qlae", sprites, optimizer="adam", **options).record.training["weight_decay"]
    assert (left.value, left.origin) == (0.01, "default")


def test_same_settings_are_the_same_run_whoever_chose_them(sprites, tmp_path):
    by_preset = train("annealed-vae", sprites, preset="burgess2018", results=tmp_path, **OPTIONS)
    given = {"network": "burgess", "lr": 5e-4}
    run = train("annealed-vae", sprites, results=tmp_path, **given, **OPTIONS)
    assert run.path == by_preset.path


def test_what_is_known_to_fail_is_said_before_it_runs(sprites, tmp_path):
    said = []
    sprites.name = "celeba"
    train("beta-vae", sprites, preset="replication", results=tmp_path, say=said.append, **OPTIONS)
    assert any("all latents collapse at a beta of 250" in line for line in said)
    said.clear()
    train(
        "beta-vae",
        sprites,
        preset="replication",
        beta=4,
        results=tmp_path,
        say=said.append,
        **OPTIONS,
    )
    assert not any("collapse at a beta" in line for line in said)


def test_weight_that_a_paper_sweeps_must_be_given():
    with pytest.raises(UsageError) as refused:
        load_preset("locatello2019").choose("locatello2019", "factor-vae", "dsprites")
    assert str(refused.value) == (
        "preset 'locatello2019' sweeps gamma for factor-vae over 10, 20, 30, 40, 50, 100; "
        "give one of these, such as `--gamma 10`"
    )


@pytest.mark.parametrize(
    ("model", "given", "model_values"),
    [
        ("factor-vae", {"gamma": 20.0}, {"gamma": 20.0}),
        ("factor-vae", {"gamma": 35.0}, {}),
        ("beta-vae", {"beta_norm": 0.1}, {}),
        ("dip-vae-i", {"lambda_od": 5.0}, {"lambda_od": 5.0, "lambda_d": 50.0}),
        ("dip-vae-ii", {"lambda_od": 5.0}, {"lambda_od": 5.0, "lambda_d": 5.0}),
        ("dip-vae-i", {"lambda_od": 5.0, "lambda_d": 7.0}, {}),
        ("vae", {}, {}),
    ],
)
def test_values_of_a_papers_sweep_are_the_presets(model, given, model_values):
    preset = load_preset("locatello2019")
    chosen = preset.choose("locatello2019", model, "cars3d", given).model
    swept = {k: chosen[k] for k in ("gamma", "beta", "lambda_od", "lambda_d") if k in chosen}
    assert swept == model_values


@pytest.mark.parametrize(("beta", "suffix"), [(16.0, ""), (5.0, ", changed")])
def test_row_says_whether_the_weight_is_the_papers(sprites, beta, suffix):
    record = record_of("beta-vae", sprites, "locatello2019", {"beta": beta})
    assert record.origin == f"preset locatello2019{suffix}"


def test_record_of_an_earlier_version_with_any_preset_is_read_and_resumed(run):
    run.save_record(preset="burgess2018", finished=None)  # a preset without beta-vae
    loaded = load_run(run.path)
    assert loaded.record.origin.startswith("preset burgess2018")
    run.checkpoint_path.unlink()
    assert resume(loaded, device="cpu", figures=False).finished


def test_hsu2023_clips_nothing_and_decays_as_published():
    """Their element-wise clip at 1 is on a mean over pixels, where it never acts."""
    shapes = load_preset("hsu2023").choose("hsu2023", "qlae", "shapes3d")
    complex_ = load_preset("hsu2023").choose("hsu2023", "qlae", "mpi3d-complex")
    assert "clip" not in shapes.training
    assert (shapes.training["weight_decay"], shapes.model["latents"]) == (0.1, 12)
    assert (complex_.training["weight_decay"], complex_.model["latents"]) == (0.001, 14)
    for other in ("dsprites", "chairs-parametric", "mpi3d-toy", "mpi3d-realistic", "mpi3d-real"):
        with pytest.raises(UsageError, match=f"no settings for qlae on {other}"):
            load_preset("hsu2023").choose("hsu2023", "qlae", other)


def test_hsu2023_has_twice_as_many_latents_as_factors():
    """Their `num_latents: twice_sources`, for the sizes of their four datasets."""
    preset = load_preset("hsu2023")
    sources = {"shapes3d": 6, "mpi3d-complex": 7, "falcor3d": 7, "isaac3d": 9}
    assert set(preset.datasets) == set(sources)
    for dataset, count in sources.items():
        assert preset.choose("hsu2023", "qlae", dataset).model["latents"] == 2 * count


def test_old_name_of_a_preset_is_taken_with_a_warning():
    with pytest.warns(OldSpelling, match="preset 'Seed' is now 'replication'"):
        assert load_preset("Seed").name == "replication"


@pytest.mark.parametrize(
    ("model", "dataset", "batch", "steps"),
    [
        ("beta-vae", "dsprites", 64, 345_600),
        ("vae", "mpi3d-real", 64, 486_000),
        ("factor-vae", "shapes3d", 128, 112_500),
    ],
)
def test_montero2021_trains_for_thirty_epochs_of_all_images(model, dataset, batch, steps):
    settings = load_preset("montero2021").merged(model, dataset)
    assert (settings.training["batch_size"], settings.training["steps"]) == (batch, steps)
    images = {"dsprites": 737_280, "mpi3d-real": 1_036_800, "shapes3d": 480_000}
    assert steps * batch == 30 * images[dataset]
