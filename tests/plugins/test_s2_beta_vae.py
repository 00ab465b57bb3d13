"""S2-beta-VAE: its loss recomputed in NumPy, and what it needs of a dataset."""

import numpy as np
import pytest
import torch

from disentangle._utils.seeds import torch_rng
from disentangle_plugins.models.s2_beta_vae import S2BetaVAE
from tests.helpers.small_vaes import (
    LATENTS,
    PAIR,
    B,
    array,
    batch,
    built,
    cross_entropy,
    kl,
    losses,
    posterior,
    sampled,
)

LABELS = torch.randint(4, (B, 2), generator=torch_rng(0, "labels")) / torch.tensor([4, 8])


@pytest.mark.parametrize(("warm_up", "risen"), [(0, 1), (10, 0.4)])
def test_loss_is_the_authors_with_a_mean_over_the_labelled_images(warm_up, risen):
    model = built(S2BetaVAE, beta=2.0, gamma_sup=30.0, kl_warmup=warm_up)
    mean, scale = posterior(model)
    known = posterior(model, PAIR)[0]
    s = 1 / (1 + np.exp(-known[:, :2]))
    v = array(LABELS)
    entropy = -v * np.log(s) - (1 - v) * np.log(1 - s)
    assert losses(model, step=4, pair=PAIR, labels=LABELS) == pytest.approx(
        {
            "reconstruction": cross_entropy(model, sampled(mean, scale)[0]),
            "kl": risen * 2 * kl(mean, scale),
            "labels": 30 * entropy.sum() / B,
        },
        rel=1e-5,
    )


def test_labels_are_those_of_the_first_latents_and_leave_the_others_free():
    model = built(S2BetaVAE)
    terms = model.terms(batch(pair=PAIR, labels=LABELS))
    terms["labels"].loss.backward()
    slopes = model.encoder[1].weight.grad.abs().sum(1)
    assert bool((slopes[:2] > 0).all())
    assert bool((slopes[2:] == 0).all())
    assert len(slopes) == 2 * LATENTS
    assert model.decoder[0].weight.grad is None


def test_loss_of_labels_is_least_where_the_means_tell_them():
    model = built(S2BetaVAE)
    before = losses(model, pair=PAIR, labels=LABELS)["labels"]
    told = model.encode(PAIR).mean[:, :2].detach().sigmoid()
    assert losses(model, pair=PAIR, labels=told)["labels"] < before


def test_latents_fewer_than_factors_are_refused_before_a_run_begins(command, strangers, tmp_path):
    options = ["--labelled", "10", "--results", tmp_path / "results"]
    code, _, err = command("train", "s2-beta-vae", "tiny", "--latents", "2", *options)
    err = " ".join(err.split())
    assert code == 2
    assert "expected at least 3 latents for the factors of tiny" in err
    assert "got 2; use `--latents 3` or more" in err
    assert not (tmp_path / "results").exists()


def test_more_labelled_images_than_there_are_images_are_refused(command, strangers, tmp_path):
    options = ["--labelled", "76", "--results", tmp_path / "results"]
    code, _, err = command("train", "s2-beta-vae", "tiny", *options)
    assert code == 2
    words = "s2-beta-vae is given the labels of 76 images, but 'tiny' has only 75: set a lower"
    assert words in " ".join(err.split())
    assert not (tmp_path / "results").exists()


def test_tables_compare_it_with_models_that_are_given_as_much():
    assert S2BetaVAE.supervision == "labels of n images"
