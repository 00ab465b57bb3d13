"""Checks for plugin authors: whether a plugin fulfils its contract.

In a test file of your plugin, with the names registered in its `pyproject.toml`:

    from disentangle.testing import conformance

    test_conformance = conformance(models=["my-vae"])

pytest then runs one small test for each rule. Without pytest, call each check:

    for check in check_model("my-vae"):
        check()
"""

from disentangle._utils.seeds import initialising, torch_rng
from disentangle.testing.check import Check, Violation
from disentangle.testing.suite import (
    check_collection,
    check_dataset,
    check_encoder,
    check_metric,
    check_model,
    check_tracker,
    conformance,
)

__all__ = [
    "Check",
    "Violation",
    "check_collection",
    "check_dataset",
    "check_encoder",
    "check_metric",
    "check_model",
    "check_tracker",
    "conformance",
    "initialising",
    "torch_rng",
]
