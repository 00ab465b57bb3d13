"""beta-TCVAE: Chen et al. (2018), https://arxiv.org/abs/1802.04942."""

from typing import Literal

from disentangle import Batch, Model, Terms, knob, weighted
from disentangle.maths import log_densities, log_prior, log_weights


class BetaTCVAE(Model):
    """-E_q[log p(x|z)] + alpha I_q(z; x) + beta TC(z) + gamma sum_d KL(q(z_d) || p(z_d)), eq. 4.

    q(z) is estimated from the batch: by minibatch-weighted sampling (`mws`), by minibatch
    stratified sampling (`mss`), or by `mss` as in the authors' code, which puts the weights into
    the wrong columns (`mss-as-released`). `mws` overestimates the mutual information by ln N and
    the total correlation by (D - 1) ln N, and underestimates the last term by D ln N; these are
    constants without effect on the gradient.
    """

    about = "A VAE with a penalty on total correlation, from the batch"
    display = "β-TCVAE"
    min_batch = 2

    alpha: float = knob(default=1.0, min=0, help="weight of the mutual information of x and z")
    beta: float = knob(default=6.0, min=0, help="weight of the total correlation")
    gamma: float = knob(default=1.0, min=0, help="weight of the dimension-wise KL")
    estimator: Literal["mws", "mss", "mss-as-released"] = knob(
        default="mws", help="estimator of q(z): minibatch-weighted or stratified sampling"
    )
    kl_warmup: int = knob(
        default=0, min=0, added=True, help="steps over which the last three terms rise from 0"
    )

    def terms(self, batch: Batch) -> Terms:
        """Return the four terms of the loss."""
        q = self.encode(batch.x)
        z = q.sample(batch.rng)
        weights = log_weights(len(z), batch.dataset_size, self.estimator, z.device)
        posterior, joint, product = log_densities(q, z, weights)
        risen = batch.risen(self.kl_warmup)
        return {
            "reconstruction": self.reconstruction(batch.x, z),
            "mutual-information": weighted(self.alpha * risen, (posterior - joint).mean()),
            "total-correlation": weighted(self.beta * risen, (joint - product).mean()),
            "dimension-wise-kl": weighted(self.gamma * risen, (product - log_prior(z)).mean()),
        }
