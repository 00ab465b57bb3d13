"""Similarity of images and their reconstructions: squared error, PSNR and SSIM.

SSIM, structural similarity: Wang et al. (2004), https://doi.org/10.1109/TIP.2003.819861.
"""

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from disentangle import Codes, Dataset, Index, Metric, Scores, Source, Unavailable, knob

if TYPE_CHECKING:
    from torch import Tensor

WINDOW, SIGMA, C1, C2 = 11, 1.5, 0.01**2, 0.03**2
LEAST_ERROR = 1e-10
"""Lower limit of an image's squared error in its PSNR: 100 dB for a perfect reconstruction."""


def psnr(x: "Tensor", y: "Tensor") -> "Tensor":
    """Return -10 log10 mean (x - y)^2 in dB, at most 100, [N], of images [N, C, H, W] in [0, 1]."""
    error = (x - y).square().flatten(1).mean(1)
    return -10 * error.clamp(min=LEAST_ERROR).log10()


def ssim(x: "Tensor", y: "Tensor") -> "Tensor":
    """Return the mean of equation 13 over window positions and channels, [N].

    (2 m_x m_y + C1) (2 s_xy + C2) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2)), with moments under
    a Gaussian window of 11 x 11 pixels and sigma 1.5, at every position inside the image.

    Args:
        x: images in [0, 1], [N, C, H, W], with H and W at least 11.
        y: the images to compare them with.
    """
    import torch

    at = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    window = torch.softmax(-(at**2) / (2 * SIGMA**2), dim=0)
    # [position, pixel]: the window at each position; about ten times faster than F.conv2d on a CPU.
    rows, columns = (
        torch.eye(size, dtype=x.dtype, device=x.device).unfold(0, WINDOW, 1) @ window
        for size in x.shape[2:]
    )
    m_x, m_y, xx, yy, xy = rows @ torch.stack([x, y, x * x, y * y, x * y]) @ columns.T
    alike = (2 * m_x * m_y + C1) * (2 * (xy - m_x * m_y) + C2)
    norm = (m_x**2 + m_y**2 + C1) * (xx - m_x**2 + yy - m_y**2 + C2)
    similarity: Tensor = (alike / norm).flatten(1).mean(1)
    return similarity


class Reconstruction(Metric[Dataset]):
    """Mean squared error per pixel, PSNR and SSIM between x and the mean of p(x|z).

    z is the mean of q(z|x), or the code of a model without a posterior. PSNR is the mean over
    images of -10 log10 of each image's error, each at most 100 dB.
    """

    about = "Similarity of images and reconstructions: error, PSNR, SSIM"
    display = "Reconstruction"
    displays = MappingProxyType(
        {
            "reconstruction/error": "MSE",
            "reconstruction/psnr": "PSNR",
            "reconstruction/ssim": "SSIM",
        }
    )
    by_default_if_dependent = True
    of_model = True
    better = MappingProxyType({"reconstruction/error": "less"})
    most_latents = 20_000
    seconds = 5.0
    growth = 0.0

    samples: int = knob(default=10_000, min=1, help="number of images")

    def score(self, source: Source[Dataset], rng: np.random.Generator) -> Scores:
        """Return `reconstruction/error`, `reconstruction/psnr` in dB and `reconstruction/ssim`."""
        import torch

        from disentangle import Model

        model = source.model
        if not isinstance(model, Model):
            raise Unavailable("needs a model with a decoder; only codes are available")
        if min(source.dataset.image_shape[1:]) < WINDOW:
            raise Unavailable(f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels")
        index, times = np.unique(source.points(self.samples, rng), return_counts=True)
        code(source, index[:1])  # also moves the model to its device
        device = next(model.parameters()).device
        sums = torch.zeros(3, dtype=torch.float64)
        for part, x in source.image_batches(index, device):
            z = torch.from_numpy(code(source, index[part])).float().to(device)
            with torch.no_grad():
                y = model.observation.mean(model.decode(z))
                error = (x - y).square().flatten(1).mean(1)
                scores = torch.stack([error, psnr(x, y), ssim(x, y)])
            sums += scores.cpu().double() @ torch.from_numpy(times[part]).double()
        error_, psnr_, ssim_ = (sums / times.sum()).tolist()
        return {
            "reconstruction/error": error_,
            "reconstruction/psnr": psnr_,
            "reconstruction/ssim": ssim_,
        }


def code(source: Source[Dataset], index: Index) -> Codes:
    """Return the means of q(z|x), [N, D], or the codes of a model without a posterior."""
    try:
        return source.posterior(index)[0]
    except Unavailable:
        return source.codes(index)
