"""The presets of Hsu et al. (2024) and Baykal et al. (2024): constants of the authors' code."""

from math import prod

import pytest
import torch

from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.model import Batch
from disentangle.contracts.settings import resolve
from disentangle.errors import UsageError
from disentangle.training.checks import checked, term_sets
from disentangle.training.configuration import ModelRequest
from disentangle.training.preset import load_preset
from disentangle.training.train import train

FACTORS = {"shapes3d": 6, "mpi3d-complex": 7, "falcor3d": 7, "isaac3d": 9}
SHAPE = (3, 64, 64)
TRIPOD = {
    "shapes3d": (1e-4, 1e-2),
    "mpi3d-complex": (1e-8, 1e-4),
    "falcor3d": (1e-10, 1e-2),
    "isaac3d": (1e-4, 1e-8),
}
"""Dataset -> weights of the multi-information and of the Hessian penalty."""
BAYKAL = {
    "qvae": {"shapes3d": (1e-3,), "mpi3d-complex": (5e-5,), "isaac3d": (5e-5,)},
    "factor-qvae": {
        "shapes3d": (1e-3, 1e-4),
        "mpi3d-complex": (5e-5, 1e-6),
        "isaac3d": (5e-5,) * 2,
    },
    "dvae": {"shapes3d": (5e-3,), "mpi3d-complex": (5e-5,), "isaac3d": (1e-5,)},
    "factor-dvae": {
        "shapes3d": (5e-3, 5e-4),
        "mpi3d-complex": (5e-5, 5e-6),
        "isaac3d": (1e-5,) * 2,
    },
}
"""Model and dataset -> weights of the KL and of the total correlation."""
VAE = {"shapes3d": 1e-4, "mpi3d-complex": 1e-5, "isaac3d": 5e-5}
"""Dataset -> weight of the KL in a loss averaged over pixels."""


def chosen(preset, model, dataset):
    """The preset's values for a model on a dataset, of all knobs and options."""
    values = load_preset(preset).choose(preset, model, dataset)
    kind = registry.models.load(model)
    model_values = resolve(kind, {}, preset=values.model, image_shape=SHAPE)
    training = resolve(Training, {}, preset=values.training)
    return {k: s.value for k, s in {**model_values, **training}.items()}


@pytest.mark.parametrize("name", ["hsu2024", "baykal2024"])
def test_latents_are_twice_the_factors(name):
    preset = load_preset(name)
    for model in preset.models:
        for dataset in preset.datasets:
            assert chosen(name, model, dataset)["latents"] == 2 * FACTORS[dataset]


@pytest.mark.parametrize("dataset", TRIPOD)
def test_tripod_is_trained_as_in_its_authors_code(dataset):
    values = chosen("hsu2024", "tripod", dataset)
    assert (values["multi_information"], values["hessian_penalty"]) == TRIPOD[dataset]
    assert (values["values"], values["draws"], values["normalised"]) == (12, 2, True)
    assert (values["network"], values["likelihood"]) == ("hsu2024", "bernoulli")
    assert (values["optimizer"], values["lr"], values["weight_decay"]) == ("adamw", 2e-4, 0)
    assert (values["steps"], values["batch_size"], values["clip"]) == (250_000, 64, 0)


def test_gradients_are_clipped_at_1_of_a_mean_over_pixels():
    for model in load_preset("hsu2024").models:
        values = chosen("hsu2024", model, "isaac3d")
        assert values["clip_value"] / prod(SHAPE) == 1


def test_other_models_of_hsu2024_have_their_own_weight_decay():
    decays = {
        model: [chosen("hsu2024", model, dataset)["weight_decay"] for dataset in FACTORS]
        for model in load_preset("hsu2024").models
    }
    assert decays == {
        "tripod": [0, 0, 0, 0],
        "qlae": [0.1, 0.001, 0.1, 0.1],
        "ae": [0.001, 0.001, 0, 0],
        "bio-ae": [1e-4] * 4,
        "vae": [0, 0, 0, 0],
        "beta-tcvae": [0, 0, 0, 0],
    }
    betas = [chosen("hsu2024", "beta-tcvae", dataset)["beta"] for dataset in FACTORS]
    assert betas == [3, 0.3, 3, 1]
    activities = [chosen("hsu2024", "bio-ae", dataset)["activity"] for dataset in FACTORS]
    assert activities == [0.01, 0.01, 0.01, 0.1]


@pytest.mark.parametrize("model", BAYKAL)
@pytest.mark.parametrize("dataset", VAE)
def test_discrete_vaes_are_trained_as_in_their_authors_code(model, dataset):
    values = chosen("baykal2024", model, dataset)
    weights = tuple(values[name] for name in ("kl_weight", "gamma") if name in values)
    assert weights == BAYKAL[model][dataset]
    assert (values["values"], values["temperature"]) == (64, 1)
    assert (values["network"], values["likelihood"], values["variance"]) == (
        "dalle",
        "gaussian",
        0.5,
    )
    assert (values["optimizer"], values["lr"]) == ("adam", 1e-3)
    assert (values["lr_schedule"], values["lr_steps"]) == ("cosine-cycles", 50_000)
    assert values["lr_end"] == 1.25e-6
    of_opponent = model.startswith("factor")
    assert values["batch_size"] == (512 if of_opponent else 256)
    # Each batch of a model with a discriminator is two of their steps.
    assert values["steps"] == (50_000 if of_opponent else 100_000)
    assert values["cooling"] * values["steps"] == pytest.approx(1)
    assert values.get("discriminator_lr", 1e-3) == 1e-3


@pytest.mark.parametrize("dataset", VAE)
def test_loss_of_the_vae_is_the_authors_up_to_a_factor(dataset):
    values = chosen("baykal2024", "vae", dataset)
    knobs = {"latents": 3, "likelihood": values["likelihood"], "variance": values["variance"]}
    torch.manual_seed(0)
    model = registry.models.load("vae")(**knobs)
    model.build(SHAPE)
    x = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1))
    batch = Batch(x=x, step=0, steps=1, dataset_size=4, rng=torch.Generator().manual_seed(2))
    with torch.no_grad():
        loss = sum(term.loss for term in checked(term_sets(model.terms(batch)))[0].values())
        q = model.encode(x)
        decoded = model.observation.mean(model.decode(q.sample(torch.Generator().manual_seed(2))))
        authors = (decoded - x).square().mean() + VAE[dataset] * q.kl().sum(1).mean()
    factor = prod(SHAPE) / (2 * values["variance"])
    torch.testing.assert_close(loss, factor * authors)


def test_refusal_names_options_that_the_command_takes(command, strangers):
    code, _, err = command("train", "tripod", "tiny", "--preset", "hsu2024")
    assert code == 2
    options = err.replace("\n", " ").partition("options: `")[2].partition("`")[0].split()
    assert {"--clip-value", "--normalised", "--multi-information"} <= set(options)
    short = ["--steps", "1", "--batch-size", "8", "--no-figures", "--device", "cpu"]
    code, _, err = command("train", "tripod", "tiny", *options, "--no-normalised", *short)
    assert code == 0, err


def test_presets_refuse_what_the_papers_do_not_train():
    for name, model, dataset in (
        ("hsu2024", "factor-qvae", "shapes3d"),
        ("hsu2024", "tripod", "dsprites"),
        ("baykal2024", "tripod", "isaac3d"),
        ("baykal2024", "qvae", "falcor3d"),
    ):
        with pytest.raises(UsageError, match=f"'{name}' has no settings for {model} on {dataset}"):
            load_preset(name).choose(name, model, dataset)


@pytest.mark.parametrize(
    ("name", "model", "given", "origin"),
    [
        ("hsu2024", "tripod", {}, "preset hsu2024"),
        ("hsu2024", "beta-tcvae", {"seed": 1001}, "preset hsu2024"),
        ("hsu2024", "tripod", {"clip_value": 1.0}, "preset hsu2024, changed"),
        ("baykal2024", "factor-dvae", {"batch_size": 64}, "preset baykal2024, changed"),
    ],
)
def test_record_of_a_run_names_the_preset_and_its_values(name, model, given, origin, strangers):
    dataset = registry.datasets.load("tiny")(None)
    dataset.name = "shapes3d"
    request = ModelRequest.of(model, given, name)
    record = request.on(dataset, device=torch.device("cpu")).record
    assert record.origin == origin
    assert record.settings["network"].value == load_preset(name).settings[0].model["network"]


@pytest.mark.parametrize("model", ["tripod", "ae", "bio-ae", "qvae", "factor-dvae"])
def test_advise_says_that_models_without_a_kl_weight_have_no_prediction(model, command, strangers):
    code, out, err = command("advise", model, "tiny")
    assert code == 0, err
    assert f"No prediction for '{model}'" in out.replace("\n", " ")


@pytest.mark.parametrize("name", ["hsu2024", "baykal2024"])
def test_show_prints_what_a_preset_sets_on_each_dataset(name, command):
    code, out, err = command("show", name)
    assert code == 0, err
    preset = load_preset(name)
    assert all(model in out for model in preset.models)
    for dataset in preset.datasets:
        assert f"on {dataset}" in out or f", {dataset}" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "model"), [("hsu2024", "tripod"), ("hsu2024", "bio-ae"), ("baykal2024", "factor-qvae")]
)
def test_model_takes_steps_with_the_presets_network_and_options(name, model, strangers, tmp_path):
    dataset = registry.datasets.load("tiny")(None)
    dataset.name = "shapes3d"
    options = {"steps": 2, "batch_size": 8, "figures": False, "device": "cpu"}
    run = train(model, dataset, preset=name, results=tmp_path, **options)
    assert run.finished
    assert run.record.training["lr"].origin == "preset"
