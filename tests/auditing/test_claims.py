"""The properties that scores claim to measure."""

import pytest

import disentangle
from disentangle.auditing.audit import claims_of
from disentangle.contracts import entry_points, registry
from disentangle.contracts.metric import Metric

D, C, I = "disentanglement", "completeness", "informativeness"  # noqa: E741
CLAIMS = {
    "beta-vae-score": (D,),
    "factor-vae-score": (D,),
    "mig": (D, C),
    "mig-sup": (D,),
    "jemmig": (D, C),
    "dcimig": (D, C, I),
    "sap": (D, C),
    "sap-r2": (D, C),
    "r2": (),
    "fairness": (),
    "fairness/max": (),
    "modularity": (D,),
    "explicitness": (I,),
    "dci/disentanglement": (D,),
    "dci/completeness": (C,),
    "dci/informativeness": (I,),
    "dci-lgbm/disentanglement": (D,),
    "dci-lgbm/completeness": (C,),
    "dci-lgbm/informativeness": (I,),
    "dci-es/explicitness": (),
    "dci-es/size": (),
    "infomec/infom": (D,),
    "infomec/infoc": (C,),
    "infomec/infoe": (I,),
    "irs": (D,),
    "mcc": (D,),
    "mcc/corrected": (D,),
    "mcc/null": (),
    "minimality": (D,),
    "sufficiency": (),
    "tad": (),
    "tad/attributes": (),
    "tad/latents": (),
    "omes": (D, C),
    "orthogonality/error": (),
    "orthogonality/procrustes": (),
    "snc": (D,),
    "nk": (C,),
    "downstream/10": (),
    "downstream/100": (),
    "downstream/1000": (),
    "downstream/10000": (I,),
    "downstream/efficiency": (),
}
"""What the paper of each built-in score claims, or its page."""


@pytest.mark.parametrize("score", CLAIMS)
def test_built_in_scores_claim_what_their_papers_do(score):
    kind = registry.metrics.load(score.partition("/")[0])
    assert claims_of(kind, score) == CLAIMS[score]


def test_scores_without_labels_claim_nothing():
    for name in ("total-correlation", "elbo", "reconstruction"):
        assert claims_of(registry.metrics.load(name), name) == ()


class Plain(Metric[disentangle.Labelled]):
    """A metric that declares nothing."""

    better = {"plain/error": "less"}  # noqa: RUF012

    def score(self, source, rng):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("score", "claims"),
    [
        ("plain", (D,)),
        ("plain/completeness", (C,)),
        ("plain/informativeness", (I,)),
        ("plain/error", ()),
    ],
)
def test_a_metric_that_declares_nothing_claims_by_the_name_of_its_score(score, claims):
    assert claims_of(Plain, score) == claims


def test_scores_that_a_declaration_leaves_out_claim_nothing():
    kind = registry.metrics.load("downstream")
    assert claims_of(kind, "downstream/500") == ()  # of `downstream:labels=500`


def test_every_built_in_metric_that_needs_labels_has_its_claims_here():
    kinds = {entry.name: registry.metrics.load(entry.name) for entry in built_in_metrics()}
    needing = {name for name, kind in kinds.items() if issubclass(kind.needs, disentangle.Labelled)}
    assert needing == {score.partition("/")[0] for score in CLAIMS}


def built_in_metrics():
    entries = entry_points.every_entry()
    return [e for e in entries if e.kind == "metric" and e.distribution == entry_points.OWN]
