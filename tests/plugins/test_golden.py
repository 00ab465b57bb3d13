"""Metrics against the reference implementations: their values, recorded input by input."""

import warnings
from functools import partial
from itertools import product

import numpy as np
import pytest
from helpers.golden_metrics import (
    ARRAYS,
    DSPRITES,
    ENCODERS,
    SHAPES3D,
    Coded,
    case_arrays,
    golden,
    name_of,
    published,
    single_run,
)

from disentangle.errors import InputWarning, Unavailable
from disentangle.maths.importance import completeness, disentanglement
from disentangle.maths.information import discretise, entropies, gaps, mutual_information
from disentangle.maths.knn_information import knn_mutual_information
from disentangle.maths.probes import standardised
from disentangle.scoring.arrays import array_source
from disentangle_plugins.metrics import dci, dci_lgbm, infomec, mig, nk, snc
from disentangle_plugins.metrics.beta_vae_score import BetaVAEScore, beta_vae_score
from disentangle_plugins.metrics.dcimig import dcimig
from disentangle_plugins.metrics.explicitness import Explicitness, roc_areas
from disentangle_plugins.metrics.factor_vae_score import (
    FactorVAEScore,
    count,
    factor_vae_score,
    least_varying,
)
from disentangle_plugins.metrics.irs import IRS, robustness, weighted_robustness
from disentangle_plugins.metrics.jemmig import jemmig
from disentangle_plugins.metrics.mig_sup import mig_sup
from disentangle_plugins.metrics.minimality import minimality
from disentangle_plugins.metrics.modularity import Modularity, modularities
from disentangle_plugins.metrics.omes import omes, scores_of_factors
from disentangle_plugins.metrics.sap import SAP, accuracies
from disentangle_plugins.metrics.sap_r2 import SAPR2, squared_correlations
from disentangle_plugins.metrics.sufficiency import sufficiency
from disentangle_plugins.metrics.total_correlation import TotalCorrelation

SIZES = {"dsprites": DSPRITES, "shapes3d": SHAPES3D}
THRESHOLD = 0.05
"""Standard deviation of a latent that is active, in the FactorVAE score."""


def rng(seed=0):
    return np.random.default_rng(seed)


def flat(*parts):
    return np.concatenate([np.ravel(part) for part in parts])


def numbers(metric, **versions):
    """Return golden values that are numbers: a reference may have crashed, or divided by 0."""
    return [v for v in golden(metric, **versions) if v["value"] not in (None, "nan")]


def same_case(metric, value, **versions):
    """Return what the reference has of another metric on the same input."""
    estimator = value["hp"].get("estimator")
    (other,) = (
        v["value"]
        for v in golden(metric, **versions)
        if v["case"] == value["case"] and v["hp"].get("estimator") == estimator
    )
    return other


def matrix_of(value):
    return (ARRAYS["expected/" + value["case"].replace(":", "/")],)


def modularity(hp, z, v, *_):
    metric = Modularity(bins=hp.get("num_bins", hp.get("nb_bins")))
    return metric.score(array_source(z, v), rng())["modularity"]


def explicitness_of_factors(hp, *arrays):
    areas = roc_areas(*arrays)
    return flat(areas, areas.mean())


def irs_and_matrix(hp, z, v, *_):
    matrix, weights = robustness(z, v, hp["diff_quantile"], hp["num_bins"])
    return flat(weighted_robustness(matrix, weights), matrix[weights > 0])


def references_irs(value):
    name = f"irs_matrix_q{value['hp']['diff_quantile']:g}"
    return flat(value["value"], ARRAYS[f"expected/{value['case']}/{name}"])


def references_accuracies(value):
    version = value["versions"]["sklearn"]
    return ARRAYS[f"expected_sk{version}/{value['case']}/sap_svc_matrix"]


def sap_r2_and_matrix(hp, z, v, *_):
    matrix = squared_correlations(z, v)
    return flat(np.nanmean(gaps(matrix)), matrix)


def features(value):
    """Return the features that the reference drew for the beta-VAE score, and their labels."""
    case = "beta/" + value["case"].removeprefix("sampled:")
    return [ARRAYS[f"{case}/{name}"] for name in ("X_train", "y_train", "X_eval", "y_eval")]


def variances(value):
    """Return what the reference drew for the FactorVAE score: variances and labels."""
    case = "fvae/" + value["case"].removeprefix("sampled:")
    names = ("local_var", "global_var", "label")
    local, overall, label = (ARRAYS[f"{case}/{name}"] for name in names)
    return local, overall, label.astype(np.int64)


def references_latents(value):
    _, overall, _ = variances(value)
    chosen = ARRAYS[f"fvae/{value['case'].removeprefix('sampled:')}/argmin_among_active"]
    return np.flatnonzero(np.sqrt(overall) >= THRESHOLD)[chosen]


def votes(hp, local, overall, label):
    """Return the votes to fit on and those to test on, each [D, K]."""
    latent = least_varying(local, overall, THRESHOLD)
    shape, n = (len(overall), label.max() + 1), hp["num_train"]
    return count(latent[:n], label[:n], shape), count(latent[n:], label[n:], shape)


def dci_of_trees(hp, *arrays):
    importance, accuracy = dci.probe(*arrays, rng())
    return [disentanglement(importance)[0], completeness(importance)[0], accuracy.mean()]


def references_dci(value):
    others = ("dci_completeness", "dci_informativeness_test")
    return [value["value"], *(same_case(other, value, sklearn="1.9.1") for other in others)]


def first_importances(hp, z, v, test_z, test_v):
    return dci.probe(z, v[:, :1], test_z, test_v[:, :1], rng())[0]  # all take a minute


def references_importances(value):
    return ARRAYS[f"expected_sk1.9.1/{value['case']}/dci_importance"][:, :1]


def modularity_and_compactness(hp, nmi):
    active = nmi[hp["mask"]]
    return [infomec.modularity(active), infomec.modularity(active.T)]


def infomec_from_counts(hp, z, v, *_):
    nmi = mutual_information(discretise(z, hp["bins"]), v) / entropies(v)
    return flat(nmi, modularity_and_compactness(hp, nmi))


def omes_of_encoding(hp, *_):
    return scores_of_factors(np.array(hp["encoded"]), hp["alpha"], hp["pooling"]).mean()


def snc_of_factors(hp, *arrays):
    accuracy, latents = snc.accuracies(*arrays)
    return flat(accuracy, latents)


def references_snc(value):
    return flat(value["hp"]["per_factor"], value["hp"]["latents"])


def nk_of_factors(hp, *arrays):
    every, without, _ = nk.accuracies(*arrays, rng(), epochs=60)
    return flat(every, without, np.mean(every - without))


def references_nk(value):
    return flat(value["hp"]["all"], value["hp"]["without"], value["value"])


def references_infomec(value):
    return [value["value"], same_case("InfoC_ratio", value)]


def references_counts(value):
    matrix = ARRAYS[f"expected_kyle/{value['case']}/nmi_discrete-discrete"]
    return flat(matrix, references_infomec(value))


def infomec_from_neighbours(hp, z, v, *_):
    # Where codes have few values the noise of 1e-10 decides: hence a mean of several.
    several = (knn_mutual_information(z, v, rng(seed)) / entropies(v) for seed in range(12))
    return np.mean([modularity_and_compactness(hp, nmi) for nmi in several], axis=0)


def active_latents(hp, z, v, *_):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # the toy codes repeat
        scores = infomec.InfoMEC().score(array_source(z, v[:, :2]), rng())
    return scores["infomec/active"].values


def infoe(hp, z, v, *_):
    x, _ = standardised(z, z)
    return infomec.explicitness(x, v, x, v).mean()


def total_correlation(part, z):
    """Return a score of codes; what is unavailable is infinite in the reference."""
    source = array_source(z, np.arange(len(z))[:, None] % 2)
    score = TotalCorrelation().score(source, rng())[f"total-correlation/{part}"]
    return np.inf if isinstance(score, Unavailable) else score


def unit(part, z):
    """Return what a score is measured in: that of a Wasserstein distance grows with the codes."""
    return max(1, np.var(z, axis=0).sum()) if "wasserstein" in part else 1


def references_total_correlation(part, value):
    z, score = case_arrays(value)[0], float(value["value"])
    if np.isnan(score):  # the reference's, for a constant latent, which is left out
        score = total_correlation(part, z[:, np.ptp(z, axis=0) > 0])
    return score / unit(part, z)


def recorded(
    name, values, ours, atol, reference=lambda value: value["value"], inputs=case_arrays, marks=()
):
    """Make a test's cases: `ours` of hyper-parameters and inputs is `reference` of the record."""
    return [
        pytest.param(
            value, inputs, ours, reference, atol, id=f"{name}-{name_of(value)}", marks=marks
        )
        for value in values
    ]


TOYS = [v for v in golden("dci_disentanglement", sklearn="1.9.1") if v["case"][:3] == "toy"]
INFOM = {
    kind: [v for v in golden("InfoM_ratio") if v["hp"]["estimator"] == f"{kind}-discrete"]
    for kind in ("continuous", "discrete")
}
TIED = ("const_dim", "duplicated", "entangled2", "identity", "rotation", "warped")
"""Toys with exact codes: equal codes at the border of two bins merge them in the authors' code."""
UNTIED = [v for v in golden("snc") if v["case"].removeprefix("toy_") not in TIED]
FVAE = golden("factor_vae_eval_accuracy")
OLD, NEW = {"sklearn": "0.20.3"}, {"sklearn": "1.9.1"}
CASES = [
    *recorded(
        "mig",
        golden("mig"),
        lambda hp, z, v, *_: mig.mig(z.astype(np.float32), v, hp["num_bins"]),
        1e-6,
    ),
    *recorded(
        "mig-gaps",
        golden("mig"),
        lambda hp, z, v, *_: gaps(mig.normalised_information(z, v)),
        1e-6,
        lambda value: value["hp"]["per_factor"],
    ),
    *recorded(
        "mig-sup",
        numbers("ubi_mig_sup"),
        lambda hp, z, v, *_: mig_sup(z, v, hp["nb_bins"]),
        1e-6,
    ),
    *recorded(
        "jemmig", golden("ubi_jemmig"), lambda hp, z, v, *_: jemmig(z, v, hp["nb_bins"]), 1e-6
    ),
    *recorded(
        "dcimig", golden("ubi_dcimig"), lambda hp, z, v, *_: dcimig(z, v, hp["nb_bins"]), 1e-6
    ),
    *recorded("modularity", golden("modularity"), modularity, 1e-6),
    *recorded("modularity-review", numbers("ubi_modularity"), modularity, 1e-6),
    *recorded(
        "modularity-of-matrix",
        golden("aggregate"),
        lambda hp, matrix: modularities(matrix).mean(),
        1e-6,
        lambda value: value["value"]["modularity"],
        matrix_of,
    ),
    *recorded(
        "explicitness",
        numbers("explicitness_test", **NEW),
        explicitness_of_factors,
        1e-3,
        lambda value: flat(value["hp"]["per_factor"], value["value"]),
    ),
    *recorded(
        "explicitness-fitted",
        golden("explicitness_train", **NEW),
        lambda hp, z, v, *_: roc_areas(z, v, z, v).mean(),
        1e-3,
    ),
    *recorded(
        "explicitness-older",
        numbers("explicitness_test", **OLD),
        lambda hp, *arrays: roc_areas(*arrays).mean(),
        0.04,
    ),
    *recorded("irs", golden("irs"), irs_and_matrix, 1e-6, references_irs),
    *recorded(  # the review takes the maximum, and the factors' values as they are
        "irs-review",
        golden("ubi_irs"),
        lambda hp, z, v, *_: weighted_robustness(*robustness(z, v, quantile=1.0, bins=100)),
        1e-6,
    ),
    *recorded(
        "sap",
        golden("sap_discrete"),
        lambda hp, *arrays: np.nanmean(gaps(accuracies(*arrays))),
        5e-3,
    ),
    *recorded(
        "sap-accuracies",
        golden("sap_discrete"),
        lambda hp, *arrays: accuracies(*arrays),
        1.5e-3,
        references_accuracies,
    ),
    *recorded(
        "sap-of-matrix",
        golden("aggregate"),
        lambda hp, matrix: np.mean(gaps(matrix)),
        1e-6,
        lambda value: value["value"]["sap"],
        matrix_of,
    ),
    *recorded(
        "sap-r2",
        golden("sap_continuous"),
        sap_r2_and_matrix,
        1e-6,
        lambda value: flat(value["value"], ARRAYS[f"expected/{value['case']}/sap_r2_matrix"]),
    ),
    *recorded(
        "beta-vae-score",
        golden("beta_vae_eval_accuracy"),
        lambda hp, *drawn: beta_vae_score(*drawn),
        1.5e-2,
        inputs=features,
    ),
    *recorded(
        "factor-vae-latents",
        FVAE,
        lambda hp, local, overall, label: least_varying(local, overall, THRESHOLD),
        0,
        references_latents,
        variances,
    ),
    *recorded(
        "factor-vae-score",
        FVAE,
        lambda hp, *drawn: factor_vae_score(*votes(hp, *drawn)),
        1e-6,
        inputs=variances,
    ),
    *recorded(
        "factor-vae-fitted",
        golden("factor_vae_train_accuracy"),
        lambda hp, *drawn: factor_vae_score(*[votes(hp, *drawn)[0]] * 2),
        1e-6,
        inputs=variances,
    ),
    *recorded("dci", TOYS, dci_of_trees, 2e-2, references_dci, marks=pytest.mark.slow),
    *recorded(
        "dci-importances",
        golden("dci_disentanglement", **NEW)[-1:],
        first_importances,
        2e-2,
        references_importances,
    ),
    *recorded(
        "dci-lgbm",
        TOYS,
        lambda hp, *arrays: disentanglement(dci_lgbm.probe(*arrays, rng())[0])[0],
        0.08,
    ),
    *recorded(
        "dci-lgbm-informativeness",
        [v for v in golden("dci_informativeness_test", **NEW) if v["case"][:3] == "toy"],
        lambda hp, *arrays: dci_lgbm.probe(*arrays, rng())[1].mean(),
        0.02,
    ),
    *recorded("infomec-counts", INFOM["discrete"], infomec_from_counts, 1e-6, references_counts),
    *recorded(
        "infomec-neighbours",
        INFOM["continuous"],
        infomec_from_neighbours,
        1e-2,
        references_infomec,
    ),
    *recorded(
        "infomec-active",
        INFOM["continuous"],
        active_latents,
        0,
        lambda value: value["hp"]["mask"],
    ),
    *recorded("infoe", golden("InfoE_classification"), infoe, 1e-2),
    *recorded(
        "infoe-regression",
        golden("InfoE_regression"),
        lambda hp, z, v, *_: infomec.explicitness_regression(z, v),
        1e-6,
    ),
    *recorded(
        "minimality",
        numbers("minimality"),
        lambda hp, z, v, *_: minimality(z, v, hp["n_bins"]),
        1e-9,
    ),
    *recorded(
        "sufficiency",
        golden("sufficiency"),
        lambda hp, z, v, *_: sufficiency(z, v, hp["n_bins"]),
        1e-9,
    ),
    *recorded("omes-of-encoding", golden("omes"), omes_of_encoding, 1e-4),
    *recorded(  # the pairs differ, and the authors draw theirs from a few hundred images
        "omes",
        golden("omes"),
        lambda hp, z, v, *_: omes(z, v, alpha=hp["alpha"], pooling=hp["pooling"]),
        0.04,
    ),
    *recorded("snc", UNTIED, snc_of_factors, 1e-2, references_snc),
    *recorded("nk", golden("nk"), nk_of_factors, 0.06, references_nk),
    *(
        case
        for part, metric, atol in (
            ("gaussian", "gaussian_total_correlation", 1e-6),
            ("wasserstein", "gaussian_wasserstein_correlation", 1e-7),
            ("wasserstein-normalised", "gaussian_wasserstein_correlation_norm", 1e-7),
            ("mutual-information", "mutual_info_score", 1e-6),
        )
        for case in recorded(
            f"total-correlation-{part}",
            golden(metric),
            lambda hp, z, *_, part=part: total_correlation(part, z) / unit(part, z),
            atol,
            partial(references_total_correlation, part),
        )
    ),
]


@pytest.mark.parametrize(("value", "inputs", "ours", "reference", "atol"), CASES)
def test_value_is_the_references(value, inputs, ours, reference, atol):
    found, expected = ours(value["hp"], *inputs(value)), reference(value)
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol, equal_nan=False)


def of_seeds(metric, deviations, least, encoders=ENCODERS):
    """Make cases of a reference's mean over seeds, within some of its standard deviations."""
    for sizes, encoder in product(SIZES, encoders):
        mean, std = published(metric, sizes, encoder)
        yield sizes, encoder, mean, deviations * std + least


def of_one_run(metric, score, atol, codes):
    """Make cases of a reference's one run, within a tolerance."""
    for sizes, encoder in codes:
        yield sizes, encoder, single_run(metric, sizes, encoder)[score], atol


SAMPLED = ["identity", "rotation", "noisy_dead", "entangled2", "noise10"]
SMOOTH = [
    ("dsprites", "identity"),
    ("dsprites", "noisy_dead"),
    ("dsprites", "noise10"),
    ("shapes3d", "noisy_dead"),
    ("shapes3d", "noise10"),
]
FULL_SIZE = {
    "mig": (mig.MIG, of_seeds("mig", 5, 1e-4)),
    "sap-r2": (SAPR2, of_seeds("sap_cont", 4, 0)),
    "irs": (IRS, of_seeds("irs", 4, 1e-9)),
    "beta-vae-score": (
        BetaVAEScore,
        of_seeds("beta_vae_vec.eval_accuracy", 4, 1e-9, SAMPLED),
    ),
    "factor-vae-score": (
        FactorVAEScore,
        of_seeds("factor_vae_vec.eval_accuracy", 4, 1e-9, SAMPLED),
    ),
    # Which of the machines of neighbouring values is the higher one hangs on the sample.
    "sap": (SAP, of_one_run("sap_discrete", "SAP_score", 0.04, product(SIZES, ENCODERS))),
    "explicitness": (Explicitness, of_one_run("modexp", "explicitness_score_test", 0.006, SMOOTH)),
}


@pytest.mark.parametrize(
    ("name", "metric", "sizes", "encoder", "expected", "atol"),
    [
        pytest.param(name, metric, *case, id=f"{name}-{case[0]}-{case[1]}")
        for name, (metric, cases) in FULL_SIZE.items()
        for case in cases
    ],
)
def test_score_of_known_codes_at_full_size(name, metric, sizes, encoder, expected, atol):
    scores = metric().score(Coded(ENCODERS[encoder], SIZES[sizes]), rng())
    assert scores[name] == pytest.approx(expected, abs=atol)
