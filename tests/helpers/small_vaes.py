"""Models with networks of one linear layer each, whose losses NumPy can follow."""

import math

import numpy as np
import torch
from torch import nn

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.contracts.model import Batch
from disentangle.training.checks import checked, term_sets

B, LATENTS, SHAPE = 6, 3, (1, 4, 4)
PIXELS = math.prod(SHAPE)
X, PAIR = torch.rand((2, B, *SHAPE), generator=torch_rng(0, "images"))


def built(kind, outputs=2 * LATENTS, **knobs):
    """A model whose encoder has so many outputs."""
    model = kind(latents=LATENTS, network="higgins-fc", **knobs)
    with initialising(0):
        model.build(SHAPE)
        model.encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, outputs))
        model.decoder = nn.Sequential(nn.Linear(LATENTS, PIXELS), nn.Unflatten(1, SHAPE))
        for parameter in (*model.encoder.parameters(), *model.decoder.parameters()):
            nn.init.normal_(parameter)
    return model


def batch(**fields):
    fields = {"x": X, "step": 0, "steps": 10, "dataset_size": 99, **fields}
    return Batch(rng=torch_rng(0, "noise"), **fields)


def losses(model, which=0, **fields):
    """What each term adds to the loss, of the model or (1) of its opponent."""
    terms = checked(term_sets(model.terms(batch(**fields))))[which]
    return {name: term.loss.item() for name, term in terms.items()}


def array(tensor):
    return tensor.detach().double().numpy()


def encoded(model, x=X):
    """The encoder's outputs, [N, outputs]."""
    layer = model.encoder[1]
    return array(x).reshape(len(x), -1) @ array(layer.weight).T + array(layer.bias)


def posterior(model, x=X):
    """Mean and standard deviation of each latent, [N, D]."""
    mean, log_variance = np.split(encoded(model, x), 2, 1)
    return mean, np.exp(log_variance / 2)


def kl(mean, scale):
    return np.mean(np.sum((mean**2 + scale**2 - 1) / 2 - np.log(scale), 1))


def sampled(mean, scale):
    """The latents that a model samples first, and the generator after that."""
    rng = torch_rng(0, "noise")
    return mean + scale * array(torch.randn(mean.shape, generator=rng)), rng


def probabilities(model, z):
    layer = model.decoder[0]
    return 1 / (1 + np.exp(-(z @ array(layer.weight).T + array(layer.bias))))


def cross_entropy(model, z, x=X):
    p, x = probabilities(model, z), array(x).reshape(len(x), -1)
    return -np.mean(np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), 1))
