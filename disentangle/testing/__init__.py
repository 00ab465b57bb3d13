"""Checks for the authors of plugins: whether a model, a dataset or a metric keeps its contract.

In a test file of yours, with the names by which `pyproject.toml` registers your plugins:

    from disentangle.testing import conformance

    test_conformance = conformance(models=["my-vae"])

pytest then runs one small test for each rule. Without pytest, each check is a function:

    for check in check_model("my-vae"):
        check()
"""

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.testing.check import Check, Violation
from disentangle.testing.suite import check_dataset, check_metric, check_model, conformance

__all__ = [
    "Check",
    "Violation",
    "check_dataset",
    "check_metric",
    "check_model",
    "conformance",
    "initialising",
    "torch_rng",
]
