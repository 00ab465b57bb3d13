"""What a check is: one rule of a contract for one plugin, which holds or says what was wrong."""

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

SOURCE = re.compile(r"https?://\S|\b10\.\d{4,9}/\S")
"""What a source looks like: a link or a DOI."""


class Violation(AssertionError):
    """A rule that a plugin breaks: what was wrong, where, and what to do."""


def require(kept: bool, message: str) -> None:
    """Raise a Violation unless a rule is kept."""
    if not kept:
        raise Violation(message)


@dataclass(frozen=True)
class Rule(Generic[S]):
    """One sentence of a contract.

    Attributes:
        function: raises a Violation where its subject breaks the rule.
        excuse: returns why the rule does not concern a subject; empty where it does.
    """

    function: Callable[[S], None]
    excuse: Callable[[S], str]

    @property
    def name(self) -> str:
        """Return the rule in words."""
        return self.function.__name__.replace("_", " ")


class Rules(Generic[S]):
    """The rules of one contract, in the order in which they are written: a decorator."""

    def __init__(self) -> None:
        self.all: list[Rule[S]] = []

    def __call__(self, function: Callable[[S], None]) -> Callable[[S], None]:
        """Add a rule that concerns every subject."""
        return self.unless(lambda subject: "")(function)

    def unless(
        self, excuse: Callable[[S], str]
    ) -> Callable[[Callable[[S], None]], Callable[[S], None]]:
        """Return a decorator that adds a rule with an excuse."""

        def add(function: Callable[[S], None]) -> Callable[[S], None]:
            self.all.append(Rule(function, excuse))
            return function

        return add


@dataclass(frozen=True)
class Check:
    """A rule for a plugin; calling it checks.

    Attributes:
        plugin: the kind and the name of the plugin: `model 'my-vae'`.
        rule: what is checked.
        subject: returns the plugin, imported or opened when first called.
        broken: what went wrong in checks of this plugin before -> the rule of the first of them.
    """

    plugin: str
    rule: Rule[Any]
    subject: Callable[[], Any]
    broken: dict[str, str]

    @property
    def name(self) -> str:
        """Return the rule in words."""
        return self.rule.name

    @property
    def applies(self) -> bool:
        """Say whether the rule concerns this plugin."""
        return not self.rule.excuse(self.subject())

    def __call__(self) -> None:
        """Check.

        Raises:
            Violation: the plugin breaks the rule; the message says how to mend it.
            SkipTest: the rule does not concern this plugin, or its images are not here; or it comes
                to nothing by what another rule has failed for already.
        """
        numbers = torch.get_default_dtype()
        try:
            subject = self.subject()
            excuse = self.rule.excuse(subject)
            if excuse:
                raise SkipTest(f"{self.plugin} {excuse}")
            self.rule.function(subject)
            require(
                torch.get_default_dtype() == numbers,
                f"it changes torch's default dtype to {torch.get_default_dtype()}, for all others",
            )
        except SkipTest:
            raise
        except Violation as found:
            self._tell_once(found)
            raise Violation(f"{self.plugin}: {found}") from None
        except DisentangleError as error:
            self._tell_once(error)
            raise Violation(f"{self.plugin}, {self.name}: {error}") from error
        except SystemExit as error:
            ends = Violation(f"{self.plugin} ends the process ({error!r}): raise an error instead")
            self._tell_once(ends)
            raise ends from error
        except Exception as error:
            self._tell_once(error)
            error.add_note(f"while checking of {self.plugin}: {self.name}")
            raise
        finally:
            torch.set_default_dtype(numbers)

    def _tell_once(self, error: Exception) -> None:
        """Skip a rule that fails for what another has failed for: one cause is told once."""
        first = self.broken.setdefault(f"{type(error).__name__}: {error}", self.name)
        if first != self.name:
            raise SkipTest(f"{self.plugin}: fails as '{first}' does; mend that first") from None


STREAM = 20_261_126  # a seed that nobody else takes


@contextlib.contextmanager
def undisturbed(what: str, remedy: str) -> Iterator[None]:
    """Refuse a block that prints, or that seeds or draws from a global generator.

    Args:
        what: is done in the block, for the message.
        remedy: where randomness comes from instead.
    """
    printed = io.StringIO()
    numpy_state, random_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(STREAM)  # so that seeding with 0 shows
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
            f"{what} seeds or draws from {name} global generator, which others use too: {remedy}",
        )
    text = printed.getvalue().strip()
    require(not text, f"{what} prints {text[:60]!r}: leave that out; the commands report")


def says_source(thing: Any, what: str) -> None:
    """Refuse a plugin whose module and docstring name no source."""
    own = thing.__doc__ or ""
    made = own.startswith(f"{getattr(thing, '__name__', '')}(")  # by dataclass, for want of one
    require(
        bool(own.strip()) and not made,
        f"{what} has no docstring: say in it what this is; of a model or a metric, the equation",
    )
    require(
        SOURCE.search(documentation(thing)) is not None,
        f"{what} and its module name no source: begin the module with the paper and its link, "
        'as in """beta-VAE: Higgins et al. (2017), https://openreview.net/forum?id=Sy2fzU9gl."""',
    )


def checks(
    rules: Rules[S], kind: str, plugin: object, subject: Callable[[Any], S]
) -> Iterator[Check]:
    """Yield a check for each rule; the plugin is neither imported nor opened until one runs."""
    name = plugin if isinstance(plugin, str) else getattr(plugin, "__name__", "")
    name = name or getattr(plugin, "name", "") or type(plugin).__name__
    loaded, broken = _once(partial(subject, plugin)), dict[str, str]()
    for rule in rules.all:
        yield Check(f"{kind} '{name}'", rule, loaded, broken)


def _once(make: Callable[[], S]) -> Callable[[], S]:
    """Return a function that makes something when first called, and fails alike each time."""
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
