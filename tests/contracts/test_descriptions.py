"""Descriptions of plugins, read from their source."""

import subprocess
import sys

import pytest

from disentangle.contracts import entry_points
from disentangle.contracts.descriptions import (
    describe,
    describe_entry,
    display_of_score,
    source_of,
)

BUILT_IN = [e for e in entry_points.every_entry() if e.distribution == entry_points.OWN]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes a package whose own code fails, and makes an entry of it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source, attribute="Mine"):
        folder = tmp_path / "explosive"
        folder.mkdir()
        (folder / "__init__.py").write_text("raise SystemExit(3)")
        (folder / "leaf.py").write_text(source)
        target = f"explosive.leaf:{attribute}"
        return entry_points.Entry("model", "my-vae", target, "explosive", str(tmp_path))

    return write


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda e: f"{e.kind}-{e.name}")
def test_built_in_plugins_are_described_in_a_short_line(entry):
    described = describe_entry(entry)
    assert 10 < len(described.about) <= 64
    assert "http" not in described.about


@pytest.mark.parametrize(
    ("kind", "name", "display"),
    [
        ("model", "beta-vae", "β-VAE"),
        ("model", "beta-tcvae", "β-TCVAE"),
        ("model", "dip-vae-i", "DIP-VAE-I"),
        ("dataset", "dsprites", "dSprites"),
        ("dataset", "chairs", "3D Chairs"),
        ("dataset", "chairs-grey", "3D Chairs (grey)"),
        ("dataset", "mpi3d-real", "MPI3D-real"),
        ("metric", "mig", "MIG"),
        ("network", "conv", "conv"),
        ("model", "not-installed", "not-installed"),
    ],
)
def test_names_are_displayed_as_papers_write_them(kind, name, display):
    assert describe(kind, name).display == display


@pytest.mark.parametrize(
    ("score", "display"),
    [
        ("mig", "MIG"),
        ("dci/disentanglement", "DCI-D"),
        ("infomec/infom", "InfoM"),
        ("downstream/10000", "Accuracy (10,000 labels)"),
        ("mcc/other", "MCC other"),
        ("not-installed/part", "not-installed part"),
    ],
)
def test_scores_are_displayed_as_papers_write_them(score, display):
    assert display_of_score(score) == display


def test_what_the_source_says_is_what_the_class_says():
    from disentangle.contracts import registry

    for name in ("beta-vae", "qlae"):
        model = registry.models.load(name)
        assert (describe("model", name).about, describe("model", name).display) == (
            model.about,
            model.display,
        )
    dci = registry.metrics.load("dci")
    assert describe("metric", "dci").displays == dci.displays
    opener = registry.datasets.load("chairs-grey")
    assert describe("dataset", "chairs-grey").about == opener.about.about
    assert opener.about.images == registry.datasets.load("chairs").about.images == 86_366


def test_nothing_heavy_is_imported():
    code = (
        "import sys\n"
        "from disentangle.contracts import entry_points, descriptions\n"
        "lines = [descriptions.describe_entry(e).about for e in entry_points.every_entry()]\n"
        "assert lines and all(lines), lines\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'matplotlib', 'disentangle_plugins', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_no_code_of_a_plugin_or_its_packages_runs(package):
    entry = package('class Mine:\n    about = "a line"\n    display: str = "Mine²"\n')
    described = describe_entry(entry)
    assert (described.about, described.display) == ("a line", "Mine²")
    assert "explosive" not in sys.modules


@pytest.mark.parametrize(
    ("source", "about"),
    [
        ('"""Paper."""\nclass Mine:\n    """Equation.\n\n    More."""\n', "Equation"),
        ('"""Paper.\n\nMore."""\nclass Mine:\n    pass\n', "Paper"),
        ('"""Paper."""\ndef Mine(location):\n    """Open it."""\n', "Paper"),
        ('"""Paper."""\nclass Mine:\n    about = "a" + NAME\n', "Paper"),
        ('"""Paper."""\nfrom elsewhere import Mine\n', "Paper"),
        ("class Mine(:\n", ""),
        ("x = '\0'", ""),
        ("", ""),
    ],
    ids=["class", "module", "function", "not-literal", "imported", "syntax", "null", "empty"],
)
def test_without_a_line_of_its_own_a_plugin_is_described_by_a_docstring(package, source, about):
    described = describe_entry(package(source))
    assert (described.about, described.display) == (about, "my-vae")


def test_a_name_inside_a_class_is_found(package):
    source = 'class Outer:\n    class Mine:\n        about = "inner"\n'
    assert describe_entry(package(source, "Outer.Mine")).about == "inner"


@pytest.mark.parametrize("module", ["nowhere", "json.nowhere", "sys", "math.nowhere"])
def test_a_module_without_a_source_file_has_none(module):
    assert source_of(module) is None
