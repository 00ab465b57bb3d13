"""The public packages: what they offer can be imported, from there, and costs nothing before."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import disentangle

FACES = [
    "disentangle",
    *(f"disentangle.{name}" for name in ("data", "figures", "maths", "nn", "studies")),
]


def typed_names(module):
    """Return the names that type checkers see: those under `if TYPE_CHECKING`."""
    body = ast.parse(Path(module.__file__).read_text()).body
    block = next(node for node in body if isinstance(node, ast.If))
    return {alias.asname for statement in block.body for alias in statement.names}


@pytest.mark.parametrize("name", [*FACES, "disentangle.testing"])
def test_all_is_what_is_importable(name):
    module = importlib.import_module(name)
    assert module.__all__
    for public in module.__all__:
        assert getattr(module, public) is not None
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("name", FACES)
def test_type_checkers_see_the_same_names(name):
    module = importlib.import_module(name)
    assert typed_names(module) == set(module.__all__) - {"__version__"}


@pytest.mark.parametrize("name", FACES)
def test_unknown_names_are_attribute_errors(name):
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'Modle'"):
        _ = importlib.import_module(name).Modle


def test_what_plugin_authors_need_comes_from_one_place():
    from disentangle import Batch, Dataset, Metric, Model, Terms, knob

    assert all((Batch, Dataset, Metric, Model, Terms, knob))


def test_a_name_is_imported_when_it_is_used_and_not_before():
    code = (
        "import sys, disentangle, disentangle.data, disentangle.maths, disentangle.nn\n"
        "import disentangle.figures, disentangle.studies\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from disentangle import DisentangleError, UsageError\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_verbs_are_functions_whatever_was_imported_before():
    importlib.import_module("disentangle.score_tables.build")
    for verb in ("train", "resume", "score", "tables", "report", "sweep"):
        assert callable(getattr(disentangle, verb))
