"""AnnealedVAE: Burgess et al. (2018), "Understanding disentangling in beta-VAE".

https://arxiv.org/abs/1804.03599.
"""

from disentangle import Batch, Model, Term, Terms, knob


class AnnealedVAE(Model):
    """-E_q[log p(x|z)] + gamma |KL(q(z|x) || p(z)) - C|, equation 8.

    The capacity C rises linearly from 0 to `capacity` over the first `rise` steps.
    """

    about = "A VAE whose KL is held at a capacity that rises in training"
    display = "AnnealedVAE"

    gamma: float = knob(default=1000.0, min=0, help="weight of the KL's distance from C")
    capacity: float = knob(default=25.0, min=0, help="capacity C at the end of its rise, in nats")
    rise: int = knob(default=100_000, min=1, rise=True, help="steps over which C rises from 0")

    def terms(self, batch: Batch) -> Terms:
        """Return the two terms of the loss."""
        q = self.encode(batch.x)
        c = self.capacity * batch.risen(self.rise)
        reconstruction = self.reconstruction(batch.x, q.sample(batch.rng))
        kl = q.kl().sum(1).mean()
        return {
            "reconstruction": reconstruction,
            "capacity": Term(self.gamma * (kl - c).abs(), kl, "kl"),
        }
