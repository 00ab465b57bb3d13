"""S2-beta-VAE: Locatello et al. (2020), "Disentangling factors of variation using few labels".

https://arxiv.org/abs/1905.01258.
"""

from torch.nn import functional as F

from disentangle import Batch, Dataset, Labelled, Model, Terms, UsageError, knob, weighted


class S2BetaVAE(Model):
    """-E_q[log p(x|z)] + beta KL(q(z|x) || p(z)) + gamma_sup mean_n sum_k H(v_nk, s_nk).

    The last term is of images n whose labels are known, in batches as large as the others: the
    binary cross entropy -v ln s - (1 - v) ln(1 - s) of s, the sigmoid of the mean of latent k, from
    v, the value of factor k. The first of m values is 0, the last (m - 1) / m. So the first K
    latents are those of the K factors, in order; the others are free.

    The `labelled` images are drawn with the seed of the run and take turns, as in the code of the
    authors, disentanglement_lib. It sums the cross entropy over a batch where the mean is taken
    here: its gamma_sup times the size of the batch is that here. The default weights are those of
    its example, both 4, with batches of 64.
    """

    about = "A beta-VAE that is given the labels of a few images"
    display = "S2-β-VAE"
    needs = Labelled
    supervision = "labels of n images"

    beta: float = knob(default=4.0, min=0, normalised=True, help="weight of the KL term")
    gamma_sup: float = knob(default=256.0, min=0, help="weight of the cross entropy of labels")
    labelled: int = knob(default=100, min=1, help="n, the number of images with known labels")
    kl_warmup: int = knob(
        default=0, min=0, help="steps over which the KL term's weight rises from 0"
    )

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise unless there is a latent for each factor."""
        assert isinstance(dataset, Labelled)
        least = len(dataset.factors)
        if self.latents < least:
            raise UsageError(
                f"{self.display} has one latent for each factor: expected at least {least} latents "
                f"for the factors of {dataset.name} ({', '.join(dataset.factors)}), got "
                f"{self.latents}; use `--latents {least}` or more"
            )

    def labelled_images(self) -> int:
        """Return the number of images with known labels."""
        return self.labelled

    def terms(self, batch: Batch) -> Terms:
        """Return the three terms of the loss."""
        assert batch.pair is not None
        assert batch.labels is not None
        q = self.encode(batch.x)
        logits = self.encode(batch.pair).mean[:, : batch.labels.shape[1]]
        entropy = F.binary_cross_entropy_with_logits(logits, batch.labels, reduction="none")
        return {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": weighted(self.beta * batch.risen(self.kl_warmup), q.kl().sum(1).mean()),
            "labels": weighted(self.gamma_sup, entropy.sum(1).mean()),
        }
