"""Presets: papers' settings, under what the user gives and above everything else."""

import pytest

from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import check
from disentangle.errors import OldSpelling, UsageError
from disentangle.training.preset import known_presets, load_preset
from disentangle.training.train import train

OPTIONS = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
PRESETS = known_presets()


def test_presets_are_the_papers():
    assert sorted(PRESETS) == [
        "burgess2018",
        "higgins2017",
        "hsu2023",
        "locatello2019",
        "replication",
    ]
    assert all(preset.about for preset in PRESETS.values())


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("model", sorted(registry.models.entries))
@pytest.mark.parametrize("dataset", ["dsprites", "chairs", "chairs-parametric", "celeba"])
def test_preset_speaks_of_knobs_that_there_are(name, model, dataset):
    try:
        found = PRESETS[name].choose(name, model, dataset)
    except UsageError as error:
        assert "has no settings for" in str(error)  # noqa: PT017
        return
    check(registry.models.load(model), found.model, "preset")
    check(Training, found.training, "preset")
    assert found.model.get("network", "conv") in registry.networks.entries


def test_higgins_settings_depend_on_the_dataset():
    sprites = load_preset("higgins2017").choose("higgins2017", "beta-vae", "dsprites")
    chairs = load_preset("higgins2017").choose("higgins2017", "beta-vae", "chairs")
    assert (sprites.model["network"], sprites.training["optimizer"]) == ("higgins-fc", "adagrad")
    assert (chairs.model["latents"], chairs.model["beta"]) == (32, 5.0)
    plain = load_preset("higgins2017").choose("higgins2017", "vae", "chairs")
    assert "beta" not in plain.model


def test_unknown_presets_and_datasets_are_refused(strangers, tmp_path):
    with pytest.raises(UsageError, match="no preset 'higgins'; did you mean 'higgins2017'"):
        train("vae", "tiny", preset="higgins", results=tmp_path, **OPTIONS)
    with pytest.raises(
        UsageError, match="'higgins2017' has no settings for tiny, only for celeba, chairs"
    ):
        train("vae", "tiny", preset="higgins2017", results=tmp_path, **OPTIONS)


def test_run_records_the_preset_and_what_overrides_it(strangers, tmp_path):
    run = train(
        "annealed-vae", "tiny", preset="burgess2018", latents=4, results=tmp_path, **OPTIONS
    )
    settings, training = run.record.settings, run.record.training
    assert run.record.preset == "burgess2018"
    assert (settings["capacity"].value, settings["capacity"].origin) == (25.0, "preset")
    assert (settings["latents"].value, settings["latents"].origin) == (4, "given")
    assert (training["lr"].value, training["lr"].origin) == (5e-4, "preset")
    assert (training["steps"].value, training["steps"].origin) == (2, "given")


def test_value_that_would_do_nothing_is_left_out_of_a_preset(strangers, tmp_path):
    options = {"preset": "hsu2023", "results": tmp_path, **OPTIONS}
    kept = train("qlae", "tiny", **options).record.training["weight_decay"]
    assert (kept.value, kept.origin) == (0.1, "preset")
    left = train("qlae", "tiny", optimizer="adam", **options).record.training["weight_decay"]
    assert (left.value, left.origin) == (0.01, "default")


def test_same_settings_are_the_same_run_whoever_chose_them(strangers, tmp_path):
    by_preset = train("vae", "tiny", preset="burgess2018", results=tmp_path, **OPTIONS)
    given = {"network": "burgess", "lr": 5e-4}
    assert train("vae", "tiny", results=tmp_path, **given, **OPTIONS).path == by_preset.path


def test_what_is_known_to_fail_is_said_before_it_runs(strangers, tmp_path, monkeypatch):
    said = []
    data = registry.datasets.load("tiny")
    opened = data(None)
    opened.name = "celeba"
    opened.train_split = "all"
    train("beta-vae", opened, preset="replication", results=tmp_path, say=said.append, **OPTIONS)
    assert any("all latents collapse at a beta of 250" in line for line in said)
    said.clear()
    train(
        "beta-vae",
        opened,
        preset="replication",
        beta=4,
        results=tmp_path,
        say=said.append,
        **OPTIONS,
    )
    assert not any("collapse at a beta" in line for line in said)


def test_old_name_of_a_preset_is_taken_with_a_warning():
    with pytest.warns(OldSpelling, match="preset 'Seed' is now 'replication'"):
        assert load_preset("Seed").name == "replication"
