"""Disentanglement and completeness from an importance matrix, for the metrics of the DCI family.

Eastwood and Williams (2018), https://openreview.net/forum?id=By-7dz-AZ.
"""

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.metric import Detail, Scores
from disentangle.errors import Unavailable

Numbers = NDArray[np.float64]
"""An array of float64."""


def disentanglement(importance: Numbers) -> tuple[float, Numbers]:
    """Return sum_i rho_i D_i, and each D_i = 1 - H_K(P_i), [D].

    P_i is the importance of latent i for each factor, normalised to sum to 1, H_K its entropy to
    base K, and rho_i the share of latent i in the total importance. If the total is 0, so are the
    results.

    Args:
        importance: importance of latents for factors, [D, K], non-negative, with K at least 2.
    """
    p = importance + 1e-11  # as in disentanglement_lib, so that the P_i of an unused latent exists
    p /= p.sum(axis=1, keepdims=True)
    of_latent: Numbers = 1 + (p * np.log(p)).sum(axis=1) / np.log(importance.shape[1])
    total = importance.sum()
    if total == 0:
        return 0.0, np.zeros(len(importance))
    return float(of_latent @ importance.sum(axis=1) / total), of_latent


def completeness(importance: Numbers) -> tuple[float, Numbers]:
    """Return sum_k rho_k C_k, and each C_k = 1 - H_D(P_k), [K].

    Args:
        importance: importance of latents for factors, [D, K], non-negative, with D at least 2.
    """
    return disentanglement(importance.T)


def dci_scores(name: str, importance: Numbers, accuracy: Numbers) -> Scores:
    """Return the three scores of a DCI metric, with details.

    Disentanglement needs two factors, and completeness two latents.

    Args:
        name: the metric's name.
        importance: importance of latents for factors, [D, K]; NaN for constant factors.
        accuracy: accuracy of predicting each factor, or R2 for a factor of real numbers, [K]; NaN
            for constant factors.

    Raises:
        Unavailable: every factor is constant.
    """
    varies = ~np.isnan(accuracy)
    if not varies.any():
        raise Unavailable("every factor is constant in these samples")
    scores: dict[str, float | Unavailable | Detail] = {
        f"{name}/disentanglement": Unavailable("needs two varying factors"),
        f"{name}/completeness": Unavailable("needs two latents"),
    }
    of_factor = np.full(len(accuracy), np.nan)
    if varies.sum() > 1:
        score, of_latent = disentanglement(importance[:, varies])
        scores[f"{name}/disentanglement"] = score
        scores[f"{name}/latents"] = Detail(
            ("latent",), of_latent, "the latent's disentanglement, 0 to 1"
        )
    if len(importance) > 1:
        score, of_factor[varies] = completeness(importance[:, varies])
        scores[f"{name}/completeness"] = score
        scores[f"{name}/factors"] = Detail(
            ("factor",), of_factor, "the factor's completeness, 0 to 1"
        )
    scores[f"{name}/informativeness"] = float(accuracy[varies].mean())
    scores[f"{name}/importance"] = Detail(
        ("latent", "factor"),
        importance,
        "importance in predicting the factor; the importances of all latents sum to 1",
    )
    scores[f"{name}/accuracy"] = Detail(
        ("factor",), accuracy, "accuracy of predicting the factor, or R², 0 to 1"
    )
    return scores
