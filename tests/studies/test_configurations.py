"""The order of a study's runs: whole configurations come first, halves are finished."""

import pytest

from disentangle.studies.configurations import unfinished_jobs, whole_configurations
from disentangle.studies.plan import load_plan

pytestmark = pytest.mark.usefixtures("strangers")
STUDY = """
[defaults]
dataset = "tiny"
batch_size = 8
steps = 5
seed = [0, 1]

[[runs]]
model = "beta-vae"
beta = [2, 3]

[[runs]]
model = "vae"
"""


@pytest.fixture
def states(tmp_path):
    """A function that maps each job of the study to the state of its name, by default "new"."""
    (tmp_path / "mine.toml").write_text(STUDY)
    plan = load_plan(tmp_path / "mine.toml", results=tmp_path, device="cpu")

    def make(**named):
        return {job: named.get(short(job), "new") for job in plan.jobs}

    return make


def short(job):
    beta = job.record.knobs.get("beta")
    return f"{'vae' if beta is None else f'beta{beta:g}'}_{job.record.seed}"


def order(states):
    return [short(job) for job in unfinished_jobs(states)]


def test_seeds_of_a_configuration_follow_one_another(states):
    assert [short(job) for job in states()][:3] == ["beta2_0", "beta3_0", "beta2_1"]
    assert order(states()) == ["beta2_0", "beta2_1", "beta3_0", "beta3_1", "vae_0", "vae_1"]


def test_what_is_begun_comes_before_what_is_new(states):
    now = states(beta2_0="failed", beta3_1="done", vae_0="unfinished", vae_1="unscored")
    assert order(now) == ["vae_1", "vae_0", "beta3_0", "beta2_1"]


def test_configuration_is_whole_if_all_its_runs_are_done(states):
    now = states(beta2_0="done", beta2_1="done", beta3_0="done", vae_0="done", vae_1="failed")
    assert whole_configurations(now) == (1, 3)
