"""beta-VAE: Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl."""

from disentangle import Batch, Model, Terms, knob, weighted


class BetaVAE(Model):
    """-E_q[log p(x|z)] + beta KL(q(z|x) || p(z)), the negative of equation 4."""

    about = "A VAE with the KL term weighted by beta"
    display = "β-VAE"

    beta: float = knob(default=4.0, min=0, normalised=True, help="weight of the KL term")
    kl_warmup: int = knob(
        default=0, min=0, added=True, help="steps over which the KL term's weight rises from 0"
    )

    def terms(self, batch: Batch) -> Terms:
        """Return the two terms of the loss."""
        q = self.encode(batch.x)
        return {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": weighted(self.beta * batch.risen(self.kl_warmup), q.kl().sum(1).mean()),
        }
