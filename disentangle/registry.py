"""The registry: plugins by name, found by entry points, imported when used and not before."""

import importlib.metadata
import json
import logging
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from disentangle import __version__
from disentangle.errors import DisentangleError, UsageError, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

    from packaging.specifiers import SpecifierSet

    from disentangle.dataset import Dataset
    from disentangle.executor import Executor
    from disentangle.location import Location
    from disentangle.metric import Metric
    from disentangle.model import Model
    from disentangle.networks import Network

P = TypeVar("P")

log = logging.getLogger("disentangle")

OWN = "disentangle-bench"
"""The distribution whose version is that of the contracts; a plugin's distribution requires it."""


@dataclass(frozen=True)
class Entry:
    """One plugin as its distribution declares it, not yet imported."""

    kind: str
    name: str
    target: str
    distribution: str
    version: str

    @property
    def who(self) -> str:
        """Return the plugin and whose it is, in words."""
        return f"{self.kind} '{self.name}' of {self.distribution} {self.version}"

    @property
    def unfit(self) -> str:
        """Return why this plugin is not for the contract that is here; empty where it is."""
        if self.distribution == OWN or __version__ in (wanted := required(self.distribution)):
            return ""
        return f"it is made for {OWN} {wanted}, and this is {__version__}"

    def load(self) -> Any:
        """Import the plugin; whatever goes wrong in there becomes one message."""
        if self.unfit:
            raise DisentangleError(
                f"{self.who}: {self.unfit}; install another version of {self.distribution}, "
                f"or of {OWN}"
            )
        module, _, attribute = self.target.partition(":")
        if module not in sys.modules:  # said before it can end the process
            log.debug("importing %s", self.who)
        try:
            found: Any = import_module(module)
            for part in filter(None, attribute.split(".")):
                found = getattr(found, part)
        except (Exception, SystemExit) as error:
            raise DisentangleError(
                f"{self.who} cannot be imported from {self.target}: {type(error).__name__}: "
                + " ".join(str(error).split())
            ) from error
        log.debug("%s, from %s", self.who, getattr(sys.modules[module], "__file__", None))
        return found


@cache
def required(distribution: str) -> "SpecifierSet":
    """Return the versions of this project that a distribution is made for, as it declares."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name

    try:
        lines = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        lines = []
    found = SpecifierSet(prereleases=True)
    for line in map(Requirement, lines):
        if canonicalize_name(line.name) == OWN and (line.marker is None or line.marker.evaluate()):
            found &= line.specifier
    return found


def who(kind: str, name: str) -> str:
    """Return a plugin and whose it is, in words; of a class that is not registered, its name."""
    entries = next(group for group in groups if group.kind == kind).entries.get(name, ())
    return entries[0].who if len(entries) == 1 else f"{kind} '{name}'"


def taken() -> Set[str]:
    """Return the names that no knob of a model can have."""
    from disentangle.plugin import knobs
    from disentangle.recipe import TAKEN, Training

    return TAKEN | set(knobs(Training))


def called(plugin: type) -> str:
    """Return what users call a plugin; of a class that is not registered, its name."""
    target = f"{plugin.__module__}:{plugin.__qualname__}"
    found = [entry for entry in every_entry() if entry.target == target]
    return f"{found[0].kind} '{found[0].name}'" if len(found) == 1 else plugin.__name__


class Group(Generic[P]):
    """The plugins of one kind: an entry-point group and the contract that its members keep."""

    def __init__(self, kind: str, contract: str) -> None:
        self.kind = kind
        self._contract = contract

    @cached_property
    def entries(self) -> dict[str, tuple[Entry, ...]]:
        """Return what is registered, by name; a name with two entries is ambiguous."""
        found: defaultdict[str, set[Entry]] = defaultdict(set)
        for point in importlib.metadata.entry_points(group=f"disentangle.{self.kind}s"):
            distribution, version = "an unknown distribution", "?"
            if point.dist is not None:
                distribution, version = point.dist.name, point.dist.version
            found[point.name].add(Entry(self.kind, point.name, point.value, distribution, version))
        return {
            name: tuple(sorted(entries, key=lambda e: (e.distribution, e.target)))
            for name, entries in sorted(found.items())
        }

    def entry(self, name: str) -> Entry:
        """Return the one entry of this name.

        Raises:
            UsageError: no plugin has this name, or more than one has.
        """
        entries = self.entries.get(name, ())
        if not entries:
            raise UsageError(f"no {self.kind} '{name}'{suggestion(name, self.entries)}")
        if len(entries) > 1:
            claims = " and ".join(f"{e.distribution} ({e.target})" for e in entries)
            raise UsageError(
                f"{self.kind} '{name}' is ambiguous: {claims} both register it; uninstall one"
            )
        return entries[0]

    def load(self, name: str) -> P:
        """Return the plugin of this name, imported and checked against its contract."""
        entry = self.entry(name)
        plugin: P = entry.load()
        self.check(plugin, entry.who)
        return plugin

    def check(self, plugin: object, who: str) -> None:
        """Refuse what does not keep the contract of this group."""
        if not self._contract:
            if not callable(plugin):
                raise DisentangleError(f"{who} is no function open(location) -> Dataset")
            return
        module, _, attribute = self._contract.partition(":")
        contract = getattr(import_module(module), attribute)
        if not (isinstance(plugin, type) and issubclass(plugin, contract)):
            raise DisentangleError(f"{who} is no subclass of {module}.{attribute}")
        for name in dir(contract):
            if getattr(getattr(plugin, name), "__isabstractmethod__", False):
                raise DisentangleError(f"{who} has no method {name}(), which its contract asks for")
        from disentangle.plugin import Plugin, knobs

        try:
            for declared in knobs(plugin).values() if issubclass(plugin, Plugin) else ():
                declared.check(declared.default)
                if self.kind == "model" and declared.name in taken():
                    raise TypeError(
                        f"disentangle train uses the name '{declared.name}' itself; choose another"
                    )
        except (UsageError, TypeError) as error:
            raise DisentangleError(f"{who} declares a knob wrongly: {error}") from error


models: "Group[type[Model]]" = Group("model", "disentangle.model:Model")
datasets: "Group[Callable[[Location], Dataset]]" = Group("dataset", "")
metrics: "Group[type[Metric[Any]]]" = Group("metric", "disentangle.metric:Metric")
networks: "Group[type[Network]]" = Group("network", "disentangle.networks:Network")
executors: "Group[type[Executor]]" = Group("executor", "disentangle.executor:Executor")
groups: tuple[Group[Any], ...] = (models, datasets, metrics, networks, executors)


def every_entry() -> list[Entry]:
    """Return all entries of all groups, ambiguous ones included."""
    return [e for group in groups for entries in group.entries.values() for e in entries]


def check_imports(timeout: float = 120.0) -> Iterator[tuple[Entry, str]]:
    """Import every plugin in a subprocess; yield each with its problem, "" where there is none.

    A plugin that kills or hangs the process costs only itself: the rest are tried in a new one.
    """
    entries = every_entry()
    done = 0
    while done < len(entries):
        call = f"from disentangle.registry import _import_from; _import_from({done})"
        command = [sys.executable, "-c", call]
        try:
            result = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout
            )
            output, fate = result.stdout, f"ended the process (exit code {result.returncode})"
        except subprocess.TimeoutExpired as expired:
            output, fate = expired.stdout or b"", f"did not finish in {timeout:g} s"
        for line in output.decode(errors="replace").splitlines():
            if line.startswith(f"[{done}, "):
                yield entries[done], json.loads(line)[1]
                done += 1
        if done < len(entries):
            yield entries[done], f"{entries[done].who}: importing it {fate}"
            done += 1


def _import_from(start: int) -> None:
    """Import the plugins from this number on and report each as a line of JSON."""
    for number, entry in list(enumerate(every_entry()))[start:]:
        try:
            group = next(group for group in groups if group.kind == entry.kind)
            group.check(entry.load(), entry.who)
            group.entry(entry.name)
            problem = ""
        except DisentangleError as error:
            problem = str(error)
        sys.stdout.write("\n" + json.dumps([number, problem]) + "\n")
        sys.stdout.flush()
