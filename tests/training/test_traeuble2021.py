"""The preset of Träuble et al. (2021): constants of the authors' study of correlated factors."""

import pytest

from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import resolve
from disentangle.errors import UsageError
from disentangle.training.preset import load_preset

PRESET = load_preset("traeuble2021")
DIP = [1, 2, 5, 10, 20, 50]
SWEEPS = {
    "beta-vae": {"beta": [1, 2, 4, 6, 8, 16]},
    "annealed-vae": {"capacity": [5, 10, 25, 50, 75, 100]},
    "factor-vae": {"gamma": [10, 20, 30, 40, 50, 100]},
    "beta-tcvae": {"beta": [1, 2, 4, 6, 8, 10]},
    "dip-vae-i": {"lambda_od": DIP, "lambda_d": [10 * weight for weight in DIP]},
    "dip-vae-ii": {"lambda_od": DIP, "lambda_d": DIP},
}


def chosen(model, dataset, given):
    """The preset's values of all knobs and options; those given are checked, as by the command."""
    values = PRESET.choose("traeuble2021", model, dataset, given)
    knobs = resolve(registry.models.load(model), given, preset=values.model)
    training = resolve(Training, {}, preset=values.training)
    return {k: s.value for k, s in {**knobs, **training}.items()}


def test_sweeps_are_the_authors():
    assert set(PRESET.models) == SWEEPS.keys()
    for model, sweep in SWEEPS.items():
        merged = PRESET.merged(model, "shapes3d").sweep
        assert {name: list(values) for name, values in merged.items()} == sweep


@pytest.mark.parametrize("model", SWEEPS)
@pytest.mark.parametrize("dataset", ["dsprites", "shapes3d", "mpi3d-real"])
def test_models_are_trained_as_in_the_authors_code(model, dataset):
    name, (weight, *_) = next(iter(SWEEPS[model].items()))
    values = chosen(model, dataset, {name: float(weight)})
    assert (values["network"], values["likelihood"]) == ("locatello", "bernoulli")
    assert (values["optimizer"], values["lr"], values["latents"]) == ("adam", 1e-4, 10)
    assert (values["steps"], values["batch_size"]) == (300_000, 64)


def test_what_the_sweep_leaves_is_the_authors():
    annealed = chosen("annealed-vae", "dsprites", {"capacity": 25.0})
    assert (annealed["gamma"], annealed["rise"]) == (1000, 100_000)
    factor_vae = chosen("factor-vae", "dsprites", {"gamma": 10.0})
    assert (factor_vae["permuted"], factor_vae["discriminator_lr"]) == ("same", 1e-4)


def test_weight_that_the_paper_sweeps_must_be_given():
    with pytest.raises(UsageError, match="sweeps gamma for factor-vae over 10, 20"):
        chosen("factor-vae", "shapes3d", {})
