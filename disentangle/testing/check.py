"""Checks: one rule of a contract for one plugin, which passes or explains the violation."""

import contextlib
import io
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar
from unittest import SkipTest

import numpy as np
import torch

from disentangle.contracts.isolation import GENERATORS
from disentangle.contracts.plugin import documentation
from disentangle.errors import DisentangleError

S = TypeVar("S")

LONGEST_ABOUT = 80
"""Characters of the line that describes a plugin, in `disentangle list`."""
SOURCE = re.compile(r"https?://\S|\b10\.\d{4,9}/\S")
"""Pattern of a source: a link or a DOI."""


class Violation(AssertionError):
    """A rule broken by a plugin; the message has the problem and a remedy."""


def require(kept: bool, message: str) -> None:
    """Raise a Violation unless a condition holds."""
    if not kept:
        raise Violation(message)


@dataclass(frozen=True)
class Rule(Generic[S]):
    """One rule of a contract.

    Attributes:
        function: raises a Violation if its subject breaks the rule.
        excuse: returns why the rule does not apply to a subject; empty if it does.
    """

    function: Callable[[S], None]
    excuse: Callable[[S], str]

    @property
    def name(self) -> str:
        """The rule in words."""
        return self.function.__name__.replace("_", " ")


class Rules(Generic[S]):
    """The rules of one contract, in order of definition. An instance is a decorator."""

    def __init__(self) -> None:
        self.all: list[Rule[S]] = []

    def __call__(self, function: Callable[[S], None]) -> Callable[[S], None]:
        """Add a rule that applies to every subject."""
        return self.unless(lambda subject: "")(function)

    def unless(
        self, excuse: Callable[[S], str]
    ) -> Callable[[Callable[[S], None]], Callable[[S], None]]:
        """Return a decorator that adds a rule; it is skipped if `excuse` returns a reason."""

        def add(function: Callable[[S], None]) -> Callable[[S], None]:
            self.all.append(Rule(function, excuse))
            return function

        return add


@dataclass(frozen=True)
class Check:
    """A rule for a plugin; call it to check.

    Attributes:
        plugin: the kind and the name of the plugin: `model 'my-vae'`.
        rule: the rule.
        subject: returns the plugin, imported or opened on the first call.
        broken: error of an earlier check of this plugin -> the first rule that failed with it.
    """

    plugin: str
    rule: Rule[Any]
    subject: Callable[[], Any]
    broken: dict[str, str]

    @property
    def name(self) -> str:
        """The rule in words."""
        return self.rule.name

    @property
    def applies(self) -> bool:
        """True if the rule applies to this plugin."""
        return not self.rule.excuse(self.subject())

    def __call__(self) -> None:
        """Check the plugin.

        Raises:
            Violation: the plugin breaks the rule; the message has a remedy.
            SkipTest: the rule does not apply to this plugin, its images are missing, or it fails
                with the same error as an earlier rule.
        """
        dtype = torch.get_default_dtype()
        try:
            subject = self.subject()
            excuse = self.rule.excuse(subject)
            if excuse:
                raise SkipTest(f"{self.plugin} {excuse}")
            self.rule.function(subject)
            require(
                torch.get_default_dtype() == dtype,
                f"it changes torch's default dtype to {torch.get_default_dtype()}, which affects "
                "all other code",
            )
        except SkipTest:
            raise
        except Violation as violation:
            self._report_once(violation)
            raise Violation(f"{self.plugin}: {violation}") from None
        except DisentangleError as error:
            self._report_once(error)
            raise Violation(f"{self.plugin}, {self.name}: {error}") from error
        except SystemExit as error:
            exits = Violation(f"{self.plugin} ends the process ({error!r}): raise an error instead")
            self._report_once(exits)
            raise exits from error
        except Exception as error:
            self._report_once(error)
            error.add_note(f"while checking {self.plugin}: {self.name}")
            raise
        finally:
            torch.set_default_dtype(dtype)

    def _report_once(self, error: Exception) -> None:
        """Skip a rule that fails with the same error as an earlier one."""
        first = self.broken.setdefault(f"{type(error).__name__}: {error}", self.name)
        if first != self.name:
            raise SkipTest(f"{self.plugin}: same error as '{first}'; fix that first") from None


STREAM = 20_261_126  # a seed that no other code uses


@contextlib.contextmanager
def undisturbed(what: str, remedy: str) -> Iterator[None]:
    """Raise if the block prints, or seeds or draws from a global generator.

    Args:
        what: the code in the block, for the message.
        remedy: where randomness should come from instead.
    """
    printed = io.StringIO()
    numpy_state, random_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(STREAM)  # so that seeding with 0 is noticed
        np.random.seed(STREAM)  # noqa: NPY002
        random.seed(STREAM)
        before = {name: state() for name, state in GENERATORS.items()}
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                yield
            after = {name: state() for name, state in GENERATORS.items()}
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(random_state)
    for name in GENERATORS:
        require(
            before[name] == after[name],
            f"{what} seeds or draws from {name} global generator, which other code uses: {remedy}",
        )
    text = printed.getvalue().strip()
    require(not text, f"{what} prints {text[:60]!r}: remove this; the commands report progress")


def says_source(thing: Any, what: str) -> None:
    """Raise unless a plugin has a docstring, and its docstring or module cites a source."""
    own = thing.__doc__ or ""
    generated = own.startswith(f"{getattr(thing, '__name__', '')}(")  # by dataclass, if missing
    require(
        bool(own.strip()) and not generated,
        f"{what} has no docstring: describe it there; for a model or a metric, by its equation",
    )
    require(
        SOURCE.search(documentation(thing)) is not None,
        f"{what} and its module cite no source: begin the module with the paper and its link, "
        'as in """beta-VAE: Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl."""',
    )


def lacks_about(about: str) -> str:
    """Advice for a plugin without a line that describes it; empty if it has one."""
    return "" if about else "has no `about`, the line that describes it in `disentangle list`"


def fits_a_line(about: str) -> None:
    """Raise unless the description of a plugin is one short line."""
    require(
        len(about) <= LONGEST_ABOUT and "\n" not in about,
        f"`about` is a line of {LONGEST_ABOUT} characters at most, got {len(about)}: {about!r}",
    )


def checks(
    rules: Rules[S], kind: str, plugin: object, subject: Callable[[Any], S]
) -> Iterator[Check]:
    """Yield a check for each rule; the plugin is not imported or opened until one runs."""
    name = plugin if isinstance(plugin, str) else getattr(plugin, "__name__", "")
    name = name or getattr(plugin, "name", "") or type(plugin).__name__
    loaded, broken = _once(partial(subject, plugin)), dict[str, str]()
    for rule in rules.all:
        yield Check(f"{kind} '{name}'", rule, loaded, broken)


def _once(make: Callable[[], S]) -> Callable[[], S]:
    """Cache the result of `make`, or the error that it raised."""
    made: list[S] = []
    failed: list[BaseException] = []

    def get() -> S:
        if failed:
            raise failed[0]
        if not made:
            try:
                made.append(make())
            except (Exception, SkipTest) as error:
                failed.append(error)
                raise
        return made[0]

    return get
