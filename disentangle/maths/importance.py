"""How the importance of latents for factors is spread: what the metrics of the DCI family share.

Disentanglement and completeness are of Eastwood and Williams (2018),
https://openreview.net/forum?id=By-7dz-AZ.
"""

import numpy as np
from numpy.typing import NDArray

from disentangle.contracts.metric import Detail, Scores
from disentangle.errors import Unavailable

Numbers = NDArray[np.float64]
"""An array of float64."""


def disentanglement(importance: Numbers) -> tuple[float, Numbers]:
    """Return sum_i rho_i D_i, and each D_i = 1 - H_K(P_i), [D].

    P_i is the importance of latent i for each factor as shares of their sum, H_K its entropy to the
    base K, and rho_i the share of latent i in all importance. Without any importance it is 0.

    Args:
        importance: of latents for factors, [D, K], not negative; two factors at least.
    """
    p = importance + 1e-11  # as in disentanglement_lib, so that an unused latent has shares too
    p /= p.sum(axis=1, keepdims=True)
    of_latent: Numbers = 1 + (p * np.log(p)).sum(axis=1) / np.log(importance.shape[1])
    total = importance.sum()
    if total == 0:
        return 0.0, np.zeros(len(importance))
    return float(of_latent @ importance.sum(axis=1) / total), of_latent


def completeness(importance: Numbers) -> tuple[float, Numbers]:
    """Return sum_k rho_k C_k, and each C_k = 1 - H_D(P_k), [K]: `disentanglement` the other way.

    Args:
        importance: of latents for factors, [D, K], not negative; two latents at least.
    """
    return disentanglement(importance.T)


def dci_scores(name: str, importance: Numbers, accuracy: Numbers) -> Scores:
    """Return the three parts of a DCI metric, and what is behind them.

    Disentanglement takes two factors, and completeness two latents.

    Args:
        name: the metric's.
        importance: of latents for factors, [D, K]; the column of a constant factor is NaN.
        accuracy: with which each factor is predicted, [K]; NaN likewise.

    Raises:
        Unavailable: every factor is constant.
    """
    varies = ~np.isnan(accuracy)
    if not varies.any():
        raise Unavailable("every factor is constant in these samples")
    found: dict[str, float | Unavailable | Detail] = {
        f"{name}/disentanglement": Unavailable("it takes two factors that vary"),
        f"{name}/completeness": Unavailable("it takes two latents"),
    }
    of_factor = np.full(len(accuracy), np.nan)
    if varies.sum() > 1:
        score, of_latent = disentanglement(importance[:, varies])
        found[f"{name}/disentanglement"] = score
        found[f"{name}/latents"] = Detail(("latent",), of_latent)
    if len(importance) > 1:
        score, of_factor[varies] = completeness(importance[:, varies])
        found[f"{name}/completeness"] = score
        found[f"{name}/factors"] = Detail(("factor",), of_factor)
    found[f"{name}/informativeness"] = float(accuracy[varies].mean())
    found[f"{name}/importance"] = Detail(("latent", "factor"), importance)
    found[f"{name}/accuracy"] = Detail(("factor",), accuracy)
    return found
