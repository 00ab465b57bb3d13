"""Names in any case: what is used and recorded is the true name."""

import pytest

from disentangle.contracts import registry
from disentangle.contracts.common_options import Training
from disentangle.contracts.plugin import knobs
from disentangle.data.request import DatasetRequest
from disentangle.errors import UsageError, suggestion, true_name
from disentangle.score_tables.headings import named
from disentangle.scoring.baselines import known_baselines
from disentangle.scoring.metric_spec import choose
from disentangle.scoring.protocol import load_protocol
from disentangle.scoring.request import ScoringRequest
from disentangle.training.configuration import ModelRequest


def test_an_exact_name_comes_before_one_in_another_case():
    assert true_name("MIG", ["mig", "MIG"]) == "MIG"
    assert true_name("Mig", ["mig"]) == "mig"


@pytest.mark.parametrize("known", [["mig", "MIG"], ["sap"], []])
def test_a_name_that_is_ambiguous_or_unknown_stays_as_it_is(known):
    assert true_name("Mig", known) == "Mig"


@pytest.mark.parametrize(
    ("kind", "name", "true"),
    [
        ("model", "Beta-VAE", "beta-vae"),
        ("dataset", "dSprites", "dsprites"),
        ("metric", "MIG", "mig"),
        ("network", "Locatello", "locatello"),
        ("executor", "Local", "local"),
        ("tracker", "TensorBoard", "tensorboard"),
    ],
)
def test_plugins_are_found_in_any_case(kind, name, true):
    group = next(group for group in registry.groups if group.kind == kind)
    assert group.entry(name).name == true
    assert group.load(name) is group.load(true)


def test_a_model_is_recorded_by_its_true_names():
    options = {"network": "Burgess", "likelihood": "Gaussian"}
    request = ModelRequest.of("Beta-VAE", options, "Higgins2017")
    assert (request.name, request.preset) == ("beta-vae", "higgins2017")
    assert request.settings["network"].value == "burgess"
    assert request.settings["likelihood"].value == "gaussian"


def test_a_dataset_is_recorded_by_its_true_name_and_a_path_is_left_alone():
    assert DatasetRequest.of("dSprites").name == "dsprites"
    assert DatasetRequest.of("./dSprites").name == "./dSprites"
    assert DatasetRequest.of("My:DSprites").name == "My:DSprites"


def test_metrics_are_chosen_in_any_case_and_once():
    assert [spec.name for spec in choose(["MIG:bins=40", "SAP"])] == ["mig", "sap"]
    assert [spec.name for spec in choose(["MIG", "mig"])] == ["mig"]
    assert ScoringRequest.of(["ALL"]).takes_all


def test_metrics_in_a_protocol_of_ones_own_are_in_any_case(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('about = "own"\nmetrics = ["MIG"]\n[knobs.MIG]\nbins = 7\n')
    (spec,) = choose(None, load_protocol(file))
    assert (spec.name, spec.settings["bins"]) == ("mig", 7)


def test_protocols_baselines_and_scores_are_found_in_any_case():
    assert load_protocol("Disjoint").name == "disjoint"
    assert known_baselines(["PCA", "oracle"]) == ["pca", "oracle"]
    with pytest.raises(UsageError, match="no run has the score 'MIG'; none exist"):
        named({}, "MIG")


def test_choices_of_a_hyper_parameter_are_found_in_any_case():
    assert knobs(Training)["optimizer"].check("AdamW") == "adamw"


def test_near_misses_are_suggested_in_any_case():
    assert suggestion("FACTORVAE", ["factor-vae", "mig"]) == "; did you mean 'factor-vae'?"


def test_a_long_list_of_names_is_not_printed():
    with pytest.raises(UsageError, match=r"no metric 'qqq'; run `disentangle list metrics` to"):
        registry.metrics.entry("qqq")
    assert "known: " in suggestion("qqq", list(map(str, range(50))))
