"""Standard output and error that take any text, and that are there even if they were closed."""

import codecs
import io
import os
import sys


def prepare_streams() -> bool:
    """Make standard output and error usable: open if closed, and without encoding errors.

    Returns:
        True if standard output was open.

    A stream that is closed (`>&-`) is None in Python; what is printed to it goes nowhere. Opened
    at the start, its descriptor is not given to a file, which a library might print into.
    """
    codecs.register_error(shown.__name__, shown)
    was_open = sys.stdout is not None
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=shown.__name__)
    return was_open


def shown(error: UnicodeError) -> tuple[str | bytes, int]:
    """Handle characters that a stream cannot encode: bytes of file names as they are, else escaped.

    File names that are not UTF-8 hold their bytes as surrogates.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return b"".join(map(_encoded, characters)), error.end


def _encoded(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00])
    return character.encode("ascii", "backslashreplace")
