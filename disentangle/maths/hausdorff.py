"""Hausdorff factorised support of pairs of latents: Roth et al. (2023).

https://arxiv.org/abs/2210.07347
"""

import torch
from torch import Tensor

AT_ONCE = 2**18
"""Distances that are computed at once: few enough for the cache of a processor."""


def draw_latent_pairs(latents: int, count: int, rng: torch.Generator) -> Tensor:
    """Draw `count` distinct pairs of latents, or all if there are fewer, [P, 2]."""
    every = torch.triu_indices(latents, latents, 1, device=rng.device).T
    return every[torch.rand(len(every), generator=rng, device=rng.device).argsort()[:count]]


def factorised_support(z: Tensor, pairs: Tensor, rows: Tensor | None = None) -> Tensor:
    """Return how far the support of each pair of latents is from the product of theirs, [P].

    It is the squared Hausdorff distance max_c min_n |c - z_n|^2 in the plane of the pair: z_n are
    the points of a batch, and a combination c has the first coordinate of one of them and the
    second of another. It is 0 if every combination occurs. The gradient is that of the distance
    between the combination and the point that attain it, with respect to both.

    Args:
        z: latents, [N, D].
        pairs: the two latents of each pair, [P, 2].
        rows: of z, whose values are combined, [C, P, 2]; None for every row with every row.
    """
    points = z[:, pairs]  # [N, P, 2]
    if rows is None:
        rows = torch.cartesian_prod(*[torch.arange(len(z), device=z.device)] * 2)
        rows = rows[:, None].expand(-1, len(pairs), -1)
    with torch.no_grad():
        farthest, closest = farthest_combination(points, rows)
    difference = points.gather(0, farthest[None]) - points.gather(0, closest[None])
    return difference.square().sum((0, 2))


def farthest_combination(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the combination that is farthest from its nearest point, and that point, as rows.

    Args:
        points: in the plane of each pair, [N, P, 2].
        rows: of points, whose coordinates are combined, [C, P, 2].

    Returns:
        The row of each coordinate of the combination, and of the point, [P, 2].
    """
    planes = torch.arange(points.shape[1], device=points.device)
    # [i, p, axis, n] = squared distance of point n from the coordinate of point i
    along = (points[..., None] - points.movedim(0, -1)).square()
    nearest = [
        (along[part[..., 0], planes, 0] + along[part[..., 1], planes, 1]).min(2)
        for part in torch.split(rows, max(1, AT_ONCE // points[..., 0].numel()))
    ]
    worst = torch.cat([distance for distance, _ in nearest]).argmax(0)  # [P]
    closest = torch.cat([row for _, row in nearest])[worst, planes]
    return rows[worst, planes], closest[:, None].expand(-1, 2)
