"""The limitations that built-in metrics declare, and the cases that they are of."""

import pytest

from disentangle.contracts import registry
from disentangle.testing import Violation
from disentangle.testing.metrics import equally_good, subject

DECLARED = [
    ("dci", "repeated rows"),
    ("dci-lgbm", "repeated rows"),
    ("factor-vae-score", "scaled"),
    ("infomec", "scaled"),
    ("infomec", "repeated rows"),
    ("modularity", "beside constants"),
    ("omes", "scaled"),
]
OF_MANY_IMAGES = [("downstream", "scaled")]
"""Limitations of a claim about 10,000 images, more than these checks have: the audit shows them."""


def test_no_other_limitation_is_declared():
    kinds = {name: registry.metrics.load(name) for name in registry.metrics.entries}
    declared = {(name, case) for name, kind in kinds.items() for case in kind.limitations}
    assert declared == {*DECLARED, *OF_MANY_IMAGES}


@pytest.mark.parametrize(("metric", "case"), DECLARED)
def test_a_declared_limitation_is_one(metric, case):
    with pytest.raises(Violation, match=f"case '{case}' of `disentangle audit`"):
        equally_good(subject(metric), case, "no remedy")
