"""The map in CONTRIBUTING.md: the packages that there are, and files that exist."""

import re
import tomllib

import pytest
from helpers.doc_blocks import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
LAYERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][
    0
]["layers"]


def test_map_has_the_packages_in_the_order_of_the_layers():
    table = TEXT.partition("| package |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    layers = [set(layer.split(" | ")) for layer in LAYERS]
    place = {name: number for number, layer in enumerate(layers) for name in layer}
    assert set(rows) == set(place)
    assert [place[name] for name in rows] == sorted(place.values())


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`(\w+/[\w/]+\.py)`", TEXT))))
def test_files_named_exist(file):
    assert (ROOT / "disentangle" / file).exists() or (ROOT / file).exists()


@pytest.mark.parametrize("folder", sorted(set(re.findall(r"`(\w+/[\w/]*)`", TEXT))))
def test_folders_named_exist(folder):
    assert any((base / folder).is_dir() for base in (ROOT, ROOT / "disentangle", ROOT / "tests"))
