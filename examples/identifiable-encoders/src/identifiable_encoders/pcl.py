"""Permutation-contrastive learning: Hyvärinen & Morioka (2017),
https://proceedings.mlr.press/v54/hyvarinen17a.html.
"""

import numpy as np
import torch
from disentangle import Vectors
from torch import Tensor, nn
from torch.nn.functional import softplus

from identifiable_encoders.networks import minimise, mlp, standardised

BATCH = 256


class Contrast(nn.Module):
    """The logit that two codes are of successive vectors, in a form for Laplacian sources:

    r = c + sum_i |a_i h_i(t) + b_i| - |d_i h_i(t) + e_i h_i(t-1) + g_i|
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        start = torch.tensor([0.3, 0.0, 1.0, -0.1, 0.0])
        self.weights = nn.Parameter(start[:, None].repeat(1, d))
        self.offset = nn.Parameter(torch.zeros(1))

    def forward(self, now: Tensor, before: Tensor) -> Tensor:
        """Return the logits [N] of codes [N, D]."""
        a, b, d, e, g = self.weights
        alone, given = (a * now + b).abs(), (d * now + e * before + g).abs()
        logits: Tensor = self.offset + (alone - given).sum(1)
        return logits


def train_pcl(data: Vectors, *, steps: int = 1500, seed: int = 0) -> nn.Module:
    """Train an encoder h to tell successive vectors from vectors at random times; return it.

    Its codes are the sources up to order and monotone functions, if these are independent and each
    depends on its own past:

        min over h, r of E[softplus(-r(h(x_t), h(x_(t-1))))] + E[softplus(r(h(x_t), h(x_s)))]

    with s drawn at random.

    Args:
        data: vectors in the order of time, such as those of `ica-mixing:autoregressive`.
        steps: steps of Adam, each on 256 vectors.
        seed: the seed of the initial weights and batches.
    """
    x = data.vectors(np.arange(len(data)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        scale, encoder = standardised(x), mlp(x.shape[1], x.shape[1])
        contrast = Contrast(x.shape[1])
        x = scale(x)

        def loss() -> Tensor:
            t, s = torch.randint(1, len(x), (BATCH,)), torch.randint(len(x), (BATCH,))
            now, before, other = encoder(x[torch.cat([t, t - 1, s])]).chunk(3)
            return (softplus(-contrast(now, before)) + softplus(contrast(now, other))).mean()

        minimise(loss, [*encoder.parameters(), *contrast.parameters()], steps)
    return nn.Sequential(scale, encoder)
