"""DIP-VAE-II: Kumar et al. (2018), https://arxiv.org/abs/1711.00848."""

from disentangle import Batch, Model, Terms, knob, weighted
from disentangle.maths import covariance, off_diagonal


class DIPVAEII(Model):
    """The VAE's loss + lambda_od sum_i!=j S_ij^2 + lambda_d sum_i (S_ii - 1)^2, equation 7.

    S = Cov[mean] + E[diag(scale^2)] is the covariance of z ~ q(z) over the batch.
    """

    about = "A VAE whose samples of latents are decorrelated"
    display = "DIP-VAE-II"
    min_batch = 2

    lambda_od: float = knob(default=10.0, min=0, help="weight of the off-diagonal covariances")
    lambda_d: float = knob(default=10.0, min=0, help="weight of the variances' distance from 1")
    kl_warmup: int = knob(
        default=0, min=0, added=True, help="steps over which the KL term's weight rises from 0"
    )

    def terms(self, batch: Batch) -> Terms:
        """Return the four terms of the loss."""
        q = self.encode(batch.x)
        s = covariance(q.mean) + q.log_variance.exp().mean(0).diag()
        return {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": weighted(batch.risen(self.kl_warmup), q.kl().sum(1).mean()),
            "off-diagonal": weighted(self.lambda_od, off_diagonal(s).square().sum()),
            "diagonal": weighted(self.lambda_d, (s.diagonal() - 1).square().sum()),
        }
