"""What plugins say of themselves, read from their source without importing them.

A plugin class sets `about` (one line), `display` (its name as papers write it) and, for a metric
with several scores, `displays` (score -> name as papers write it). A dataset, which is a function,
sets the first two in the `About(...)` that its decorator `@about(...)` attaches, or in the
decorator itself. All are literals, as nothing of the plugin is executed.
"""

import ast
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from disentangle.contracts.entry_points import Entry, entries_of

FIELDS = ("about", "display", "displays", "by_default")


@dataclass(frozen=True)
class Description:
    """One plugin in words.

    Attributes:
        about: one line; else the first line of its docstring; empty if there is none.
        display: its name as papers write it, such as "β-VAE"; else its registered name.
        displays: score -> its name as papers write it, such as "DCI-D"; for metrics.
        by_default: True for a metric that is computed when none is named.
    """

    about: str
    display: str
    displays: Mapping[str, str] = field(default_factory=dict)
    by_default: bool = False


def describe(kind: str, name: str) -> Description:
    """Describe the plugin of this kind ("model", "metric", ...) and name; the first if several.

    It never fails: a plugin that is not installed, or whose source cannot be read, is described
    by its name alone.
    """
    entries = entries_of(kind).get(name, ())
    return describe_entry(entries[0]) if entries else Description("", name)


def display_of_score(score: str) -> str:
    """The name of a score as papers write it: "MIG" for `mig`, "DCI-D" for `dci/disentanglement`.

    A score without a name of its own is named after its metric: "InfoMEC x" for `infomec/x`.
    """
    metric, _, rest = score.partition("/")
    description = describe("metric", metric)
    return description.displays.get(score, f"{description.display} {rest}".strip())


@cache
def describe_entry(entry: Entry) -> Description:
    """Describe a plugin from its source."""
    module, _, attribute = entry.target.partition(":")
    try:
        path = source_of(module)
        tree = ast.parse(path.read_bytes()) if path else ast.Module([], [])
        fields, docstring = _fields(tree, attribute), _docstring(tree, attribute)
    except (ImportError, OSError, SyntaxError, ValueError, RecursionError):
        fields, docstring = {}, ""
    about, display, displays, by_default = (fields.get(name) for name in FIELDS)
    return Description(
        about=about if isinstance(about, str) else docstring.strip().partition("\n")[0].rstrip("."),
        display=display if isinstance(display, str) and display else entry.name,
        displays=displays if isinstance(displays, dict) else {},
        by_default=by_default is True,
    )


def source_of(module: str) -> Path | None:
    """The source file of a module, found without importing it or any package that it is in."""
    top, *inner = module.split(".")
    spec = importlib.util.find_spec(top)
    for part in inner:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", list(spec.submodule_search_locations))
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _fields(tree: ast.Module, attribute: str) -> dict[str, Any]:
    """The literal values of `FIELDS` that a class or a dataset's function sets."""
    node = _definition(tree, attribute)
    if isinstance(node, ast.ClassDef):
        return _literals((name, value) for name, value in _assignments(node.body))
    if not isinstance(node, ast.FunctionDef):
        return {}
    constants = dict(_assignments(tree.body))
    found: dict[str, Any] = {}
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call):
            attached = decorator.args[0] if decorator.args else None
            if isinstance(attached, ast.Name):
                attached = constants.get(attached.id)
            for call in (attached, decorator):
                if isinstance(call, ast.Call):
                    found |= _literals(
                        (keyword.arg or "", keyword.value) for keyword in call.keywords
                    )
    return found


def _definition(tree: ast.Module, attribute: str) -> ast.stmt | None:
    """The class or function that `Name` or `Outer.Inner` refers to."""
    found: ast.stmt | None = None
    body = tree.body
    for name in attribute.split("."):
        named = [
            node
            for node in body
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name
        ]
        if not named:
            return None
        found, body = named[-1], named[-1].body
    return found


def _docstring(tree: ast.Module, attribute: str) -> str:
    """The docstring of a class, else that of its module."""
    node = _definition(tree, attribute)
    own = ast.get_docstring(node) if isinstance(node, ast.ClassDef) else None
    return own or ast.get_docstring(tree) or ""


def _assignments(body: Iterable[ast.stmt]) -> Iterable[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign):
            yield from ((t.id, node.value) for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _literals(assigned: Iterable[tuple[str, ast.expr]]) -> dict[str, Any]:
    """The literals among values assigned to `FIELDS`; `MappingProxyType({...})` is its dict."""
    found = {}
    for name, value in assigned:
        if name in FIELDS:
            inner = value.args[0] if isinstance(value, ast.Call) and value.args else value
            try:
                found[name] = ast.literal_eval(inner)
            except ValueError:
                continue
    return found
