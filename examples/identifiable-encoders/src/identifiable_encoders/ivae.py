"""iVAE: Khemakhem et al. (2020), https://arxiv.org/abs/1907.04809."""

import numpy as np
import torch
from disentangle import Vectors
from torch import Tensor, nn

from identifiable_encoders.networks import minimise, mlp, standardised

NOISE = 0.02  # variance of x given z
BATCH = 256


def train_ivae(
    data: Vectors, *, factor: str = "segment", steps: int = 2500, seed: int = 0
) -> nn.Module:
    """Train an identifiable VAE, and return its encoder, the mean of q(z|x).

    The prior of z depends on an auxiliary label u, which makes z unique up to order, scale and
    offset if the sources are independent given u:

        log p(x|u) >= E_q(z|x) [log p(x|z)] - KL(q(z|x) || p(z|u))

        p(x|z) = N(x; f(z), 0.02)
        p(z|u) = prod_i N(z_i; m_i(u), v_i(u))
        q(z|x) = prod_i N(z_i; g_i(x), h_i(x))

    The paper's q may depend on u too; here it does not, so that vectors alone are encoded.

    Args:
        data: vectors with the factor, such as those of `ica-mixing:segments`.
        factor: the factor that is the label u.
        steps: steps of Adam, each on 256 vectors.
        seed: the seed of the initial weights, batches and samples.
    """
    index = np.arange(len(data))
    x, u = data.vectors(index), torch.from_numpy(data.every_label(index)[:, data.column(factor)])
    d = x.shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        scale = standardised(x)
        encoder, decoder = mlp(d, 2 * d), mlp(d, d)
        prior = nn.Embedding(data.every_factor[factor], 2 * d)
        nn.init.normal_(prior.weight, std=0.1)
        x = scale(x)

        def loss() -> Tensor:
            rows = torch.randint(len(x), (BATCH,))
            mean, log_variance = encoder(x[rows]).chunk(2, dim=1)
            z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
            error = (x[rows] - decoder(z)).square().sum(1) / (2 * NOISE)
            m, log_v = prior(u[rows]).chunk(2, dim=1)
            ratio = (log_variance.exp() + (mean - m).square()) / log_v.exp()
            kl = (log_v - log_variance + ratio - 1).sum(1) / 2
            bound: Tensor = (error + kl).mean()
            return bound

        minimise(loss, [*encoder.parameters(), *decoder.parameters(), *prior.parameters()], steps)
    return nn.Sequential(scale, encoder, FirstHalf())


class FirstHalf(nn.Module):
    """The first half of the columns, the means."""

    def forward(self, x: Tensor) -> Tensor:
        """Return columns [N, D] of [N, 2 D]."""
        return x[:, : x.shape[1] // 2]
