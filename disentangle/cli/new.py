"""`disentangle new`: a complete package for a new plugin, with passing tests."""

import builtins
import importlib.util
import keyword
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from disentangle._utils.versions import __version__
from disentangle.contracts import registry
from disentangle.errors import DisentangleError, UsageError

Kind: TypeAlias = Literal["model", "dataset", "metric"]

TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
CAPITALS = re.compile(r"[a-z]{0,3}(ae|gan)|[^aeiouy]+")
"""A word to capitalise completely in a class name: vae, tcvae, mcc."""
GENERAL = frozenset(
    "about batch codes grid index knob labelled location metric model ndarray np scores source "
    "standardised tensor term terms unavailable weighted".split()
)
"""Names whose class or function would shadow an import of the generated file."""
USE = {
    "model": "disentangle train {name} dsprites --steps 3000",
    "dataset": "disentangle train beta-vae {name} --steps 3000",
    "metric": "disentangle score RUN --metric {name}",
}


def new(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="model, dataset or metric")],
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="name of the plugin and its package, such as my-vae"),
    ],
) -> None:
    """Create a package for a plugin of your own, with tests.

    The package is written to the folder NAME.
    """
    folder = Path(name)
    for path, text in package(kind, name):
        path = folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    typer.echo(f"{folder}: created a package with the {kind} '{name}'. Next:\n")
    typer.echo(
        f"  pip install -e './{name}[test]'\n  pytest {name}\n  {USE[kind].format(name=name)}"
    )


def package(kind: Kind, name: str) -> Iterator[tuple[Path, str]]:
    """Yield the files of a new package, each with its text.

    Raises:
        UsageError: the name is not a valid distribution name, or is already used.
        DisentangleError: a file or folder of this name exists.
    """
    from jinja2 import Environment, StrictUndefined

    check_name(kind, name)
    module = name.replace("-", "_")
    words = {
        "kind": kind,
        "name": name,
        "module": module,
        "cls": class_name(name),
        "function": module,
        "target": "open" if kind == "dataset" else class_name(name),
        "version": __version__,
        "next": next_contract(),
        "use": USE[kind].format(name=name),
    }
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    for root in (TEMPLATES / "package", TEMPLATES / kind):
        for file in sorted(path for path in root.rglob("*") if path.is_file()):
            path = str(file.relative_to(root)).replace("MODULE", module).removesuffix(".jinja")
            text = file.read_text(encoding="utf-8")
            yield Path(path), environment.from_string(text).render(words)


def check_name(kind: Kind, name: str) -> None:
    """Raise an error unless the name is valid and unused, for the plugin and for its package."""
    if not NAME.fullmatch(name):
        valid = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        raise UsageError(
            f"'{name}' is not a valid plugin name: use lower-case letters, digits and hyphens, "
            "starting with a letter" + (f", for example '{valid}'" if NAME.fullmatch(valid) else "")
        )
    group = next(group for group in registry.groups if group.kind == kind)
    if name in group.entries:
        owners = " and ".join(f"{e.distribution} {e.version}" for e in group.entries[name])
        raise UsageError(f"{kind} '{name}' already exists in {owners}; choose another name")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or hasattr(builtins, module) or name in GENERAL:
        raise UsageError(
            f"'{name}' already has a meaning in Python or in the generated file of a {kind}; "
            "choose another name"
        )
    if Path(name).exists():
        raise DisentangleError(f"{name} already exists and is not overwritten. Move it away first.")
    if importlib.util.find_spec(module) is not None or is_installed(name):
        raise UsageError(f"a module or package '{name}' already exists; choose another name")


def is_installed(distribution: str) -> bool:
    """True if a distribution of this name is installed."""
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def class_name(name: str) -> str:
    """The class name for a plugin name: BetaVAE for beta-vae."""
    words = name.split("-")
    return "".join(w.upper() if CAPITALS.fullmatch(w) else w.capitalize() for w in words)


def next_contract() -> str:
    """The first later version that may change the plugin contract."""
    from packaging.version import Version

    now = Version(__version__)
    return f"{now.major + 1}" if now.major else f"0.{now.minor + 1}"
