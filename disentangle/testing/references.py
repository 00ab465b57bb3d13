"""Rules of plugins by reference: a wrong one is refused, and the network used by permission."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from disentangle.contracts.references import Reference, split_options
from disentangle.errors import DisentangleError, UsageError
from disentangle.testing.check import Violation, require

MISSING, OPTION = "no-such-thing-of-this-name", "no_such_option"
"""A name and an option that no plugin has."""

INTERNET = (socket.AF_INET, socket.AF_INET6)


def parsed(reference: str, *, bare: str = "") -> Reference:
    """Parse a reference whose prefix need not be registered; see `parse_reference`."""
    prefix, _, rest = reference.partition(":")
    name, options = split_options(rest, f"{prefix}:NAME", bare=bare)
    if not name:
        raise UsageError(f"'{reference}': expected {prefix}:NAME, as a user writes it")
    return Reference(prefix, name, options, reference)


def refuses_unknown_name(load: Callable[[Reference], object], reference: Reference) -> None:
    """Raise a Violation unless a name that does not exist is an error that users can fix."""
    refused(load, replace(reference, name=MISSING), f"the unknown name '{MISSING}'")


def refuses_unknown_option(load: Callable[[Reference], object], reference: Reference) -> None:
    """Raise a Violation unless a misspelt option is an error that users can fix."""
    options = {**reference.options, OPTION: "1"}
    refused(load, replace(reference, options=options), f"the unknown option '{OPTION}'")


def refused(load: Callable[[Reference], object], reference: Reference, what: str) -> None:
    """Raise a Violation unless loading a wrong reference raises a DisentangleError."""
    try:
        with offline(what):
            load(reference)
    except Violation:
        raise
    except DisentangleError:
        return
    except Exception as error:
        raise Violation(
            f"{what} raises {type(error).__name__}: {error}; raise a UsageError that says what "
            "there is instead"
        ) from error
    require(
        False,
        f"{what} is accepted: raise a UsageError; `reference.check_options(...)` refuses options "
        "that you do not offer",
    )


@contextlib.contextmanager
def offline(what: str) -> Iterator[None]:
    """Refuse the network to a block; raise a Violation if it was tried, whatever the block raises.

    Args:
        what: the code in the block, for the message.
    """
    tried: list[str] = []
    connect = socket.socket.connect

    def look_up(host: Any, *args: Any, **options: Any) -> Any:
        tried.append(str(host))
        raise OSError(f"{host}: the network is not used in this check")

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family in INTERNET:
            look_up(address[0])
        connect(self, address)

    try:
        with (
            patch.object(socket, "getaddrinfo", look_up),
            patch.object(socket.socket, "connect", connect_here),
        ):
            yield
    finally:
        require(
            not tried,
            f"{what} uses the network ({', '.join(dict.fromkeys(tried))}) though `download` is "
            "False: raise a DisentangleError that says how to get the files",
        )
