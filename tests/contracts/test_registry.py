"""The registry: entry points, lazily, each plugin on its own."""

import importlib.metadata
import subprocess
import sys
from json import JSONDecoder

import pytest

from disentangle.contracts import entry_points, registry
from disentangle.errors import DisentangleError, UsageError

BUILT_IN = {
    "model": {"vae", "beta-vae"},
    "dataset": {"dsprites"},
    "metric": {"beta-vae-score", "mig"},
    "network": {"conv", "burgess"},
    "executor": {"local", "ray"},
    "collection": {"hf", "torchvision"},
    "encoder": {"hf", "onnx", "timm", "torchvision"},
    "tracker": {"tensorboard", "mlflow", "wandb"},
}


@pytest.mark.parametrize("group", registry.groups, ids=lambda g: g.kind)
def test_built_ins_are_registered_by_entry_points(group):
    assert set(group.entries) >= BUILT_IN.get(group.kind, set())
    for name in BUILT_IN.get(group.kind, set()):
        assert group.entry(name).distribution == "disentangle-bench"


def test_listing_imports_neither_torch_nor_a_plugin():
    code = (
        "import sys, disentangle, disentangle.cli.app\n"
        "from disentangle.contracts import entry_points\n"
        "assert entry_points.every_entry()\n"
        "heavy = {'torch', 'torchvision', 'datasets', 'numpy', 'sklearn', 'matplotlib', "
        "'disentangle_plugins'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_files_of_distributions_are_read_once_for_all_kinds(strangers, monkeypatch):
    read, times = importlib.metadata.entry_points, []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda: times.append(1) or read())
    assert {entry.kind for entry in entry_points.every_entry()} == set(entry_points.KINDS)
    assert len(times) == 1


def test_unknown_name_gets_a_suggestion():
    with pytest.raises(UsageError, match="no model 'bta-vae'; did you mean 'beta-vae'"):
        registry.models.load("bta-vae")


def test_strangers_plugin_is_found_with_its_distribution(strangers):
    entry = registry.models.entry("half-vae")
    assert (entry.distribution, entry.version) == ("strangers", "3.1")
    assert registry.models.load("half-vae").__name__ == "HalfVAE"


def test_clash_poisons_only_its_own_name(strangers):
    with pytest.raises(UsageError, match=r"'twin' is ambiguous: strangers .* and twins .*"):
        registry.models.load("twin")
    assert registry.models.load("half-vae")
    assert registry.models.load("vae")


def test_broken_plugin_says_whose_it_is_and_harms_nothing(strangers):
    with pytest.raises(DisentangleError) as caught:
        registry.models.load("broken")
    message = str(caught.value)
    assert "model 'broken' of strangers 3.1" in message
    assert "ImportError: it needs a library of 1987" in message
    assert registry.models.load("beta-vae")


def test_plugin_of_the_wrong_kind_is_refused(strangers):
    with pytest.raises(
        DisentangleError, match=r"'no-model' of strangers 3\.1 is not a subclass of"
    ):
        registry.models.load("no-model")


@pytest.mark.slow
def test_check_imports_reports_each_plugin_even_one_that_ends_the_process(strangers):
    problems = {(e.kind, e.name, e.target): p for e, p in registry.check_imports()}
    assert len(problems) == len(entry_points.every_entry())
    assert "1987" in problems["model", "broken", "strangers.broken:Nothing"]
    deadly = problems["model", "deadly", "strangers.deadly:Nothing"]
    assert "ended the process (exit code 7)" in deadly
    assert "model 'twin' is ambiguous" in problems["model", "twin", "strangers.model:Duel"]
    assert problems["model", "half-vae", "strangers.model:HalfVAE"] == ""
    assert problems["network", "conv", "disentangle.nn.networks:Conv"] == ""


def test_reference_may_name_a_nested_class_and_a_wrong_one_is_refused():
    assert entry_points.by_reference("json:JSONDecoder.decode") is JSONDecoder.decode
    for wrong in ("nowhere:open", "json:nothing", "json:", ":open"):
        with pytest.raises(UsageError, match=f"'{wrong}' cannot be imported"):
            entry_points.by_reference(wrong)
