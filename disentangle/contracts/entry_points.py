"""The plugin registry: finds plugins by entry point and imports them on first use."""

import importlib.metadata
import logging
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from disentangle._utils.versions import __version__
from disentangle.errors import DisentangleError, UsageError, nearest, suggestion, true_name

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from disentangle.nn.networks import Network


P = TypeVar("P")
log = logging.getLogger("disentangle")
OWN = "disentangle-bench"
"""The distribution that defines the contracts; plugin distributions depend on it."""
KINDS = (
    *("model", "dataset", "metric", "network", "executor"),
    *("collection", "encoder", "tracker"),
)
"""Kinds of plugins; their entry-point groups are `disentangle.models` and so on."""


def import_reference(reference: str) -> Any:
    """Import `module:attribute`; the attribute may contain dots. Errors are not caught."""
    module, _, attribute = reference.partition(":")
    return attrgetter(attribute)(import_module(module))


def by_reference(reference: str, prefixes: Iterable[str] = ()) -> Any:
    """Import `module:attribute` as given by a user.

    Args:
        reference: the module and its attribute.
        prefixes: what may stand before the colon besides a module, for the message.

    Raises:
        UsageError: the module or attribute cannot be imported.
    """
    try:
        return import_reference(reference)
    except (Exception, SystemExit) as error:  # the user's module may raise anything
        hint = ""
        if isinstance(error, ModuleNotFoundError):
            near = nearest(reference.partition(":")[0], prefixes)
        else:
            near = nearest_attribute(error)
        if near:
            hint = f"; did you mean '{near}'?"
        raise UsageError(f"'{reference}' cannot be imported: {explained(error)}{hint}") from error


def nearest_attribute(error: BaseException) -> str | None:
    """The name in a module that is nearly the one that it lacks."""
    if not (isinstance(error, AttributeError) and isinstance(error.obj, ModuleType)):
        return None
    return nearest(error.name or "", (name for name in vars(error.obj) if not name.startswith("_")))


def explained(error: BaseException) -> str:
    """An error in the user's code in one line: its type, its message and the line of the code."""
    message = " ".join(str(error).split())
    if isinstance(error, SystemExit):
        text = f"SystemExit: {message}; this code must not end the process"
    elif isinstance(error, ImportError | AttributeError):
        text = message
    else:
        text = f"{type(error).__name__}: {message}".rstrip(": ")
    if isinstance(error, SyntaxError):
        return text  # the message names file and line
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith("<")
        and frame.f_globals.get("__name__", "").partition(".")[0] != "disentangle"
        and frame.f_globals.get("__name__") != "importlib"
    ]
    own = [at for at in frames if "site-packages" not in at[0]] or frames
    return f"{text} ({Path(own[-1][0]).name}, line {own[-1][1]})" if own else text


def reference_of(thing: object) -> str:
    """The `module:name` of a class, or of an object's class, for a record."""
    cls = thing if isinstance(thing, type) else type(thing)
    return f"{cls.__module__}:{cls.__qualname__}"


@dataclass(frozen=True)
class Entry:
    """A plugin as declared by its distribution, not yet imported."""

    kind: str
    name: str
    target: str
    distribution: str
    version: str

    @property
    def who(self) -> str:
        """The plugin's kind, name, distribution and version, in words."""
        return f"{self.kind} '{self.name}' of {self.distribution} {self.version}"

    @property
    def unfit(self) -> str:
        """Why this plugin does not fit the installed version of the contract; empty if it fits."""
        if self.distribution == OWN or __version__ in (versions := required(self.distribution)):
            return ""
        return f"it requires {OWN} {versions}, but {__version__} is installed"

    def load(self) -> Any:
        """Import the plugin.

        Raises:
            DisentangleError: the plugin does not fit this version, or its import fails.
        """
        if self.unfit:
            raise DisentangleError(
                f"{self.who}: {self.unfit}. Install another version of {self.distribution} "
                f"or of {OWN}."
            )
        module = self.target.partition(":")[0]
        if module not in sys.modules:  # logged first: the import may end the process
            log.debug("importing %s", self.who)
        try:
            plugin = import_reference(self.target)
        except (Exception, SystemExit) as error:
            raise DisentangleError(
                f"{self.who} cannot be imported from {self.target}: {type(error).__name__}: "
                + " ".join(str(error).split())
            ) from error
        log.debug("%s, from %s", self.who, getattr(sys.modules[module], "__file__", None))
        return plugin


@cache
def required(distribution: str) -> "SpecifierSet":
    """The versions of this project that a distribution declares to support."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name

    try:
        lines = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        lines = []
    versions = SpecifierSet(prereleases=True)
    for line in map(Requirement, lines):
        if canonicalize_name(line.name) == OWN and (line.marker is None or line.marker.evaluate()):
            versions &= line.specifier
    return versions


def who(kind: str, name: str) -> str:
    """Describe a plugin by kind and name, and by its distribution if it is registered once."""
    entries = entries_of(kind).get(name, ())
    return entries[0].who if len(entries) == 1 else f"{kind} '{name}'"


def reserved_names() -> Set[str]:
    """Names that no knob of a model may have."""
    from disentangle.contracts.common_options import TAKEN, Training
    from disentangle.contracts.plugin import knobs

    return TAKEN | set(knobs(Training))


def called(plugin: type) -> str:
    """The kind and registered name of a plugin class; the class name if it is not registered."""
    target = reference_of(plugin)
    entries = [entry for entry in every_entry() if entry.target == target]
    return f"{entries[0].kind} '{entries[0].name}'" if len(entries) == 1 else plugin.__name__


@cache
def entries_of(kind: str) -> dict[str, tuple[Entry, ...]]:
    """The registered plugins of a kind, by name; a name with several entries is ambiguous."""
    registered: defaultdict[str, set[Entry]] = defaultdict(set)
    points: importlib.metadata.EntryPoints = installed().select(group=f"disentangle.{kind}s")
    for point in points:
        distribution, version = name_and_version(point.dist)
        registered[point.name].add(Entry(kind, point.name, point.value, distribution, version))
    return {
        name: tuple(sorted(entries, key=lambda e: (e.distribution, e.target)))
        for name, entries in sorted(registered.items())
    }


@cache
def installed() -> Any:  # of Python 3.11 another class than of 3.12, with the same select()
    """All entry points, read once for all kinds, as every distribution has a file to read."""
    return importlib.metadata.entry_points()


@cache
def name_and_version(distribution: importlib.metadata.Distribution | None) -> tuple[str, str]:
    """The name and version of a distribution, kept because each look at them reads its files."""
    if distribution is None:
        return "an unknown distribution", "?"
    return distribution.name, distribution.version


class Group(Generic[P]):
    """The plugins of one kind: an entry-point group and the contract of its plugins.

    The contract is a class, `module:name`, or the signature of a function.
    """

    def __init__(self, kind: str, contract: str) -> None:
        self.kind = kind
        self._contract = contract

    @property
    def entries(self) -> dict[str, tuple[Entry, ...]]:
        """The registered plugins by name; a name with several entries is ambiguous."""
        return entries_of(self.kind)

    def true_name(self, name: str) -> str:
        """The registered name that is this name, up to case; the name itself if there is none."""
        return true_name(name, self.entries)

    def entry(self, name: str) -> Entry:
        """Look up the entry with this name, in any case.

        Raises:
            UsageError: no plugin or more than one has this name.
        """
        entries = self.entries.get(self.true_name(name), ())
        if not entries:
            hint = suggestion(name, self.entries, f"disentangle list {self.kind}s")
            raise UsageError(f"no {self.kind} '{name}'{hint}")
        if len(entries) > 1:
            claims = " and ".join(f"{e.distribution} ({e.target})" for e in entries)
            raise UsageError(
                f"{self.kind} '{name}' is ambiguous: {claims} both register it. Uninstall one."
            )
        return entries[0]

    def load(self, name: str) -> P:
        """Import the plugin with this name and check it against its contract."""
        entry = self.entry(name)
        plugin: P = entry.load()
        self.check(plugin, entry.who)
        return plugin

    def check(self, plugin: object, who: str) -> None:
        """Raise a DisentangleError unless a plugin fulfils the contract of this group."""
        if "(" in self._contract:
            if not callable(plugin):
                raise DisentangleError(
                    f"{who}: expected a function {self._contract}, got {type(plugin).__name__}"
                )
            return
        contract = import_reference(self._contract)
        if not (isinstance(plugin, type) and issubclass(plugin, contract)):
            raise DisentangleError(f"{who} is not a subclass of {self._contract.replace(':', '.')}")
        for name in dir(contract):
            if getattr(getattr(plugin, name), "__isabstractmethod__", False):
                raise DisentangleError(f"{who} lacks the method {name}() required by its contract")
        from disentangle.contracts.plugin import Plugin, knobs

        try:
            for declared in knobs(plugin).values() if issubclass(plugin, Plugin) else ():
                declared.check(declared.default)
                if self.kind == "model" and declared.name in reserved_names():
                    raise TypeError(
                        f"the name '{declared.name}' is reserved for an option of disentangle train"
                    )
        except (UsageError, TypeError) as error:
            raise DisentangleError(f"{who} declares an invalid knob: {error}") from error


networks: "Group[type[Network]]" = Group("network", "disentangle.nn:Network")


def every_entry() -> list[Entry]:
    """All entries of all groups, including ambiguous ones."""
    return [e for kind in KINDS for entries in entries_of(kind).values() for e in entries]
