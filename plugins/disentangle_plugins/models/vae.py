"""VAE: Kingma & Welling (2014), https://arxiv.org/abs/1312.6114."""

from disentangle import Batch, Model, Terms, knob, weighted


class VAE(Model):
    """-E_q[log p(x|z)] + KL(q(z|x) || p(z)), the negative of equation 3."""

    about = "The variational autoencoder, the baseline of the others"
    display = "VAE"
    fixed_kl_weight = 1.0

    kl_warmup: int = knob(
        default=0, min=0, added=True, help="steps over which the KL term's weight rises from 0"
    )

    def terms(self, batch: Batch) -> Terms:
        """Return the two terms of the evidence lower bound, negated."""
        q = self.encode(batch.x)
        return {
            "reconstruction": self.reconstruction(batch.x, q.sample(batch.rng)),
            "kl": weighted(batch.risen(self.kl_warmup), q.kl().sum(1).mean()),
        }
