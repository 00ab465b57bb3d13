"""The preset of Roth et al. (2023): constants of the authors' grids."""

import pytest

from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.settings import resolve
from disentangle.errors import UsageError
from disentangle.training.preset import load_preset

PRESET = load_preset("roth2023")
WIDE = [1, 2, 4, 6, 8, 10, 16, 32]
SWEEPS = {
    ("hfs-vae", "shapes3d"): [80, 200, 400, 800, 1200, 1400, 1600, 1800, 2000],
    ("hfs-vae", "mpi3d-toy"): [80, 200, 400, 800, 1200, 1400, 1600, 1800, 2000],
    ("beta-vae", "shapes3d"): WIDE[:-1],
    ("beta-vae", "dsprites"): WIDE,
    ("beta-tcvae", "shapes3d"): WIDE[:-1],
    ("beta-tcvae", "mpi3d-toy"): WIDE,
    ("factor-vae", "shapes3d"): [5, 10, 25, 50, 75, 100, 150],
    ("factor-vae", "dsprites"): [5, 10, 20, 30, 40, 50, 100, 200],
    ("annealed-vae", "shapes3d"): [5, 10, 25, 50, 75, 100, 150],
    ("annealed-vae", "mpi3d-toy"): [2, 5, 10, 25, 50, 75, 100, 200],
}


def chosen(model, dataset, given):
    """The preset's values of all knobs and options; those given are checked, as by the command."""
    values = PRESET.choose("roth2023", model, dataset, given)
    knobs = resolve(registry.models.load(model), given, preset=values.model)
    training = resolve(Training, {}, preset=values.training)
    return {k: s.value for k, s in {**knobs, **training}.items()}


@pytest.mark.parametrize(("model", "dataset"), SWEEPS)
def test_sweeps_are_the_authors(model, dataset):
    (values,) = PRESET.merged(model, dataset).sweep.values()
    assert list(values) == SWEEPS[model, dataset]


@pytest.mark.parametrize("dataset", PRESET.datasets)
def test_hfs_is_trained_as_in_the_authors_grids(dataset):
    values = chosen("hfs-vae", dataset, {"gamma": 400.0})
    assert (values["beta"], values["gamma"], values["kl_warmup"]) == (0, 400, 0)
    assert (values["latent_pairs"], values["combinations"], values["scale_over"]) == (25, 0, "none")
    assert (values["network"], values["latents"]) == ("locatello", 10)
    assert (values["likelihood"], values["optimizer"]) == ("bernoulli", "adam")
    assert (values["lr"], values["batch_size"], values["steps"]) == (1e-4, 64, 300_000)


def test_other_grid_of_beta_and_gamma_can_be_given():
    values = chosen("hfs-vae", "dsprites", {"beta": 4.0, "gamma": 10.0})
    assert (values["beta"], values["gamma"]) == (4, 10)


def test_weight_that_the_paper_sweeps_must_be_given():
    with pytest.raises(UsageError, match="sweeps gamma for hfs-vae over 80, 200"):
        chosen("hfs-vae", "dsprites", {})


def test_baselines_are_those_of_the_authors_code():
    factor_vae = chosen("factor-vae", "dsprites", {"gamma": 10.0})
    assert (factor_vae["permuted"], factor_vae["batch_size"]) == ("two", 32)
    assert factor_vae["discriminator_lr"] == 1e-4
    assert chosen("beta-tcvae", "dsprites", {"beta": 4.0})["estimator"] == "mss-as-released"
    annealed = chosen("annealed-vae", "dsprites", {"capacity": 25.0})
    assert (annealed["gamma"], annealed["rise"]) == (1000, 100_000)
