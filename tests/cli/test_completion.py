"""Completion of names in the shell."""

import pytest

from disentangle.cli import completion


@pytest.mark.parametrize(
    ("offer", "incomplete", "names"),
    [
        (completion.metrics, "MIG", ["mig", "mig-sup"]),
        (completion.models, "Beta-", ["beta-tcvae", "beta-vae"]),
        (completion.presets, "repl", ["replication"]),
        (completion.networks, "nothing", []),
    ],
)
def test_names_are_completed_in_any_case(offer, incomplete, names):
    assert offer(incomplete) == names
