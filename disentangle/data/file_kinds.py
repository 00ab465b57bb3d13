"""What a file holds, judged by its first bytes: for messages about files of the wrong kind."""

import pickletools
import re
import zipfile
import zlib
from pathlib import Path

FIRST = 4096
"""Bytes that are looked at."""
TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,80}?)\s*<", re.IGNORECASE)
WEB_PAGE = re.compile(r"\s*(<!--.*?-->\s*)*(<!doctype html|<html|<head)", re.IGNORECASE | re.DOTALL)
SIGNATURES = {
    b"\x93NUMPY": "an npy file",
    b"PK\x03\x04": "a zip file",
    b"PK\x05\x06": "an empty zip file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x1f\x8b": "a gzip file",
    b"MATLAB 5.0": "a MATLAB file",
    b"PAR1": "a Parquet file",
    b"\xfd7zXZ": "an xz file",
    b"BZh": "a bzip2 file",
    b"Rar!": "a rar archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself (run `git lfs pull`)",
}
HARMLESS = re.compile(r"torch\._utils _rebuild_\w+|torch \w+Storage|torch [a-z]\w+|collections \w+")
"""Names in the pickle of a state dict: tensors, their types and dictionaries."""


def kind_of(path: Path) -> str:
    """Name what a file is: empty, a web page, text, or a known binary type; else ""."""
    with path.open("rb") as file:
        first = file.read(FIRST)
    if not first:
        return "an empty file"
    for signature, kind in SIGNATURES.items():
        if first.startswith(signature):
            return kind
    if first[:1] == b"\x80" and first[1:2] in b"\x02\x03\x04\x05":
        return "a pickle"
    try:
        text = first.decode("utf-8-sig", errors="strict" if len(first) < FIRST else "ignore")
    except UnicodeDecodeError:
        return ""
    if WEB_PAGE.match(text):
        title = TITLE.search(text)
        name = f" ({' '.join(title[1].split())!r})" if title else ""
        return f"a web page{name}, not the file itself"
    printable = all(c.isprintable() or c.isspace() for c in text)
    return "a text file" if printable and "\0" not in text else ""


def unusable(path: Path) -> str:
    """Say why nothing can be read from a file, empty or a web page; "" if something may be.

    A host that refuses a download (its quota is used up, or it wants a password) often sends a web
    page, which is then stored under the name of the file.
    """
    kind = kind_of(path)
    hopeless = kind.startswith(("an empty file", "a web page", "a Git LFS pointer"))
    return f"it is {kind}: get it again" if hopeless else ""


def pickled_class(path: Path) -> str | None:
    """Name a class in a file of `torch.save` that is no part of a state dict.

    Nothing is unpickled. The result is "" for a state dict, and None for other files.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickle = next(name for name in names if name.endswith("/data.pkl"))
            if any(name.endswith("/constants.pkl") for name in names):  # TorchScript
                return None
            names_in_it = globals_in(archive.read(pickle))
    except (OSError, StopIteration, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error):
        return None  # not such a file, or a damaged one
    return next((name for name in names_in_it if not HARMLESS.fullmatch(name)), "")


def globals_in(content: bytes) -> list[str]:
    """List the names that a pickle refers to, as "module name"."""
    found, strings = [], [""]
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name == "GLOBAL":
            found.append(str(argument))
        elif opcode.name == "STACK_GLOBAL":
            found.append(" ".join(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    return found
