"""MIG, the mutual information gap: Chen et al. (2018), https://arxiv.org/abs/1802.04942."""

import numpy as np

from disentangle.dataset import Index, Labelled
from disentangle.errors import Unavailable
from disentangle.information import discretise, entropies, gaps, mutual_information
from disentangle.metric import Codes, Metric, Scores, Source
from disentangle.plugin import knob


def mig(z: Codes, v: Index, bins: int = 20) -> float:
    """Return mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k), equation 6.

    z_(1) and z_(2) are the latents that know most of factor k; with one latent the second is 0.

    Args:
        z: codes, [N, D].
        v: labels, [N, K]; constant ones say nothing and are left out.
        bins: equal-width bins for each latent (Locatello et al. 2019 take 20).

    Raises:
        Unavailable: every factor is constant.
    """
    h = entropies(v)
    if not (h > 0).any():
        raise Unavailable("every factor is constant in these samples")
    m = mutual_information(discretise(z, bins), v[:, h > 0])  # [i, k] = I(z_i; v_k)
    return float(np.mean(gaps(m) / h[h > 0]))


class MIG(Metric[Labelled]):
    """mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k), equation 6, from binned codes."""

    by_default = True
    assumes_independence = True

    samples: int = knob(default=10_000, min=1, help="images")
    bins: int = knob(default=20, min=2, help="equal-width bins for each latent")

    def score(self, source: Source[Labelled], rng: np.random.Generator) -> Scores:
        """Return `mig`, 0 to 1."""
        z, v, _, _ = source.train_test(self.samples, 0, rng)
        return {"mig": mig(z, v, self.bins)}
