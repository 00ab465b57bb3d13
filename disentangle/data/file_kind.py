"""What a file is by its first bytes, said when it is not what its name says."""

import re
import zipfile
from pathlib import Path

START = 4096
"""Bytes that are read."""
DESCRIPTIONS: tuple[tuple[bytes, str], ...] = (
    (rb"\x89HDF\r\n", "it is an HDF5 file"),
    (rb"\x93NUMPY", "it is a single array of `numpy.save`; store arrays with `numpy.savez`"),
    (rb"\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ", "it is compressed: unpack it first"),
    (rb"Rar!|7z\xbc\xaf", "it is a rar or 7z archive: unpack it, then use the folder or a zip"),
    (rb"\x80[\2-\5]", "it is a Python pickle, which is never loaded"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8", "it is an image"),
    (rb"version https://git-lfs", "it is a pointer of Git LFS: run `git lfs pull` to get the file"),
)
"""Pattern of the first bytes -> description."""
_PAGE = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype html|html|head)\b", re.I | re.S)
_TITLE = re.compile(rb"<title[^>]*>(.{1,80}?)</title>", re.I | re.S)


def unusable(path: Path) -> str:
    """Why no dataset or weights can be in a file, with the remedy; empty if they may be.

    A host that refuses a download (its quota is used up, or it wants a password) often sends a web
    page, which is then stored under the name of the file.
    """
    start = _start(path)
    if not start:
        return "it is empty (0 bytes): get it again"
    if _PAGE.match(start.removeprefix(b"\xef\xbb\xbf")):
        title = _TITLE.search(start)
        name = f" ({' '.join(title[1].decode(errors='replace').split())!r})" if title else ""
        return f"it is a web page{name} that was saved under this name: download the file again"
    return ""


def description(path: Path) -> str:
    """What a file is by its first bytes; empty if unknown."""
    start = _start(path)
    if problem := unusable(path):
        return problem
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        return _zip_description(path)
    kinds = (kind for pattern, kind in DESCRIPTIONS if re.match(pattern, start))
    return next(kinds, "it is text" if _is_text(start) else "")


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(START)


def _zip_description(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "it is a zip that is truncated or damaged: get it again"
    if names and all(name.endswith(".npy") for name in names):
        return f"it is an npz with {', '.join(name.removesuffix('.npy') for name in names[:6])}"
    if any(name.endswith("/constants.pkl") for name in names):
        return "it is a TorchScript module"
    return "it is a zip"


def _is_text(start: bytes) -> bool:
    control = set(range(32)) - set(b"\t\n\r\f")
    return not control.intersection(start)
