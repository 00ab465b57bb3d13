"""The presets of Locatello et al. (2020) and Klindt et al. (2021): constants of their code."""

import pytest

from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import resolve
from disentangle.training.preset import load_preset

CATEGORICAL = {
    "dsprites": "shape",
    "cars3d": "identity",
    "smallnorb": "category",
    "shapes3d": "shape",
    "mpi3d-real": "object_shape",
}
"""Dataset -> the scored factor that the authors of SlowVAE never change."""


def chosen(preset, model, dataset, **given):
    """The preset's values for a model on a dataset, of all knobs and options."""
    values = load_preset(preset).choose(preset, model, dataset, given)
    settings = resolve(registry.models.load(model), given, preset=values.model)
    training = resolve(Training, {}, preset=values.training)
    return {k: s.value for k, s in {**settings, **training}.items()}


@pytest.mark.parametrize("dataset", CATEGORICAL)
def test_slow_vae_is_trained_as_in_its_authors_code(dataset):
    values = chosen("klindt2021", "slow-vae", dataset)
    assert (values["beta"], values["gamma"], values["laplace_rate"]) == (1, 10, 6)
    assert (values["pairs"], values["rate"]) == ("laplace", 1)
    assert values["categorical"] == CATEGORICAL[dataset]
    assert (values["network"], values["likelihood"]) == ("higgins-conv", "bernoulli")
    assert (values["optimizer"], values["lr"], values["latents"]) == ("adam", 1e-4, 10)
    images = 2 * values["batch_size"]
    assert (values["steps"], images) == (300_000, 64)


def test_other_pairs_leave_the_settings_of_laplace_unused():
    values = chosen("klindt2021", "slow-vae", "dsprites", pairs="uniform_fixed")
    assert (values["pairs"], values["categorical"]) == ("uniform_fixed", "none")


@pytest.mark.parametrize("model", ["ada-gvae", "ada-ml-vae", "gvae", "ml-vae"])
def test_group_vaes_are_trained_as_in_their_authors_code(model):
    values = chosen("locatello2020", model, "shapes3d", beta=8.0)
    assert (values["beta"], values["pairs"]) == (8, "locatello2020")
    assert (values["network"], values["likelihood"]) == ("locatello", "bernoulli")
    assert (values["optimizer"], values["lr"], values["latents"]) == ("adam", 1e-4, 10)
    assert (values["steps"], values["batch_size"]) == (300_000, 64)
