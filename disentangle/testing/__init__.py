"""Checks for plugin authors: whether a model, dataset or metric fulfils its contract.

In a test file of your plugin, with the names registered in its `pyproject.toml`:

    from disentangle.testing import conformance

    test_conformance = conformance(models=["my-vae"])

pytest then runs one small test for each rule. Without pytest, call each check:

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
