"""Z-max variance: Kim et al. (2019), "Relevance Factor VAE", https://arxiv.org/abs/1902.01568.

Named by Carbonneau et al. (2022), https://arxiv.org/abs/2012.09276.
"""

import numpy as np
from disentangle import Codes, Detail, Grid, Index, Metric, Scores, Source, Unavailable, knob


def count(z: Codes, k: Index, overall: Codes, factors: int) -> Index:
    """Count how often latent i varied most when only factor k varied, [D, K].

    Args:
        z: codes of the images of each vote, [N, L, D].
        k: the factor that varies in each vote, [N], below `factors`.
        overall: variances over the dataset, [D]; a constant latent gets no vote.
    """
    share = z.var(axis=1) / np.where(overall > 0, overall, np.inf)
    votes = np.zeros((z.shape[2], factors), np.int64)
    np.add.at(votes, (share.argmax(axis=1), k), 1)
    return votes


class ZMaxVariance(Metric[Grid]):
    """sum_i max_k V_ik / sum V: does the latent that varies most reveal the factor that varies?

    V_ik counts votes. For each vote a factor k is drawn uniformly, and then images that differ in
    v_k only; i is the latent with the largest ratio of the variance over these images to the
    variance over the dataset. Chance is 1 / K.
    """

    about = "Share of votes that the most varying latents decide rightly"
    display = "Z-max variance"

    votes: int = knob(default=1000, min=1, help="groups of images")
    images: int = knob(default=32, min=2, help="images in a group")
    variances: int = knob(default=10_000, min=2, help="images for the variances over the dataset")

    def score(self, source: Source[Grid], rng: np.random.Generator) -> Scores:
        """Compute `z-max-variance`, at most 1, and the votes behind it."""
        overall = source.codes(source.points(self.variances, rng)).var(axis=0)
        if len(source.factors) < 2 or not (overall > 0).any():
            raise Unavailable("needs two factors, and a latent that varies")
        data, n = source.dataset, self.votes
        k = rng.integers(0, len(source.factors), n)
        column = np.array([data.column(name) for name in source.factors])[k, None]  # [N, 1]
        labels = data.every_label(source.draw(n, rng))[:, None].repeat(self.images, axis=1)
        sizes = np.array([*data.every_factor.values()])[column]
        fresh = rng.integers(0, sizes, (n, self.images))  # values of the factor that varies
        labels[np.arange(n)[:, None], np.arange(self.images), column] = fresh  # [N, L, axes]
        z = source.codes(data.index(labels.reshape(-1, labels.shape[2])))
        votes = count(z.reshape(n, self.images, -1), k, overall, len(source.factors))
        return {
            "z-max-variance": float(votes.max(axis=1).sum() / n),
            "z-max-variance/votes": Detail(("latent", "factor"), votes, "number of votes"),
        }
