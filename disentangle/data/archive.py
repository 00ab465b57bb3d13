"""Image files in a folder, a tar or a zip, read where they lie: nothing is ever extracted."""

import bz2
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from disentangle.errors import DisentangleError

FILE_BYTES = 64 * 2**20  # bytes that one file may have, unpacked
DIRECTORY = 2**28  # bytes that a zip's list of its files may have
HEADERS = 2**20  # bytes that the headers of one file in a tar may have: long names, and the like
SHARED = 64  # entries that the headers before all files of a tar may have

_UNSAFE = re.compile(r"^/|(^|/)(\.\.(/|$)|[A-Za-z]:)|[\\\0]")
_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX(/|$))")
_LOCAL = struct.Struct("<26xHH")  # a zip's header before a member: lengths of its name and extra
_ENCRYPTED = 0x2041  # a zip's flags: encrypted, strongly so, with a masked list of members
_SPECIAL = "a link, a device, a pipe or a sparse file"
_COMPRESSED: dict[bytes, type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]] = {
    rb"\x1f\x8b": gzip.GzipFile,
    rb"BZh[1-9]1AY&SY": bz2.BZ2File,  # in full, as a tar begins with a name
    rb"\xfd7zXZ\x00": lzma.LZMAFile,
}

Method = Literal["plain", "stored", "deflated"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A file in a folder, tar or zip, which can be read on its own, in any order and thread."""

    name: str  # its path inside the source, with forward slashes
    path: Path  # the file on disk that holds it
    offset: int  # where in that file its bytes begin, or in a zip the header before them
    size: int  # bytes as stored
    method: Method  # plain in folders and tars
    length: int  # bytes when unpacked
    crc: int | None  # CRC-32 of the unpacked bytes, where the source records one
    source: Path | None = None  # the folder or archive as the user knows it

    def __str__(self) -> str:
        """Return what to call the file in a message."""
        return f"{self.name!r} in {self.source or self.path}"

    def read(self) -> bytes:
        """Return the unpacked bytes; a DisentangleError says that they are not as promised."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.offset)
                if self.method != "plain":
                    file.seek(sum(_LOCAL.unpack(file.read(_LOCAL.size))), os.SEEK_CUR)
                content: bytes = file.read(self.size)
            if self.method == "deflated":
                # A byte more than promised would show that there are more; zero means no limit.
                inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                content = inflate.decompress(content, self.length + 1)
            if len(content) != self.length:
                raise ValueError(f"it does not have the promised {self.length} bytes")
            if self.crc is not None and zlib.crc32(content) != self.crc:
                raise ValueError("its checksum is wrong")
        except (OSError, ValueError, struct.error, zlib.error) as error:
            why = f"cannot read {self}: {_words(error)}; get it again"
            raise DisentangleError(why) from error
        return content


def pieces(
    source: Path, wanted: Callable[[str], bool], known_as: Path | None = None
) -> list[Piece]:
    """Return the files of a folder, a tar or a zip whose name is wanted, sorted by name.

    Hidden files and those in `__MACOSX` are left out. In a folder, links to files are followed and
    links to folders are not. Archives are told by their content; only their headers are read.

    Args:
        source: the folder or archive, which is not compressed.
        wanted: says of a name whether it is.
        known_as: what to call the source in messages, where it was unpacked from something else.

    Raises:
        DisentangleError: the source cannot be read or is damaged; an archive has a member, wanted
            or not, that is dangerous or cannot be read in place; a wanted file is too large.
    """
    known_as = known_as or source
    found: dict[str, Piece] = {}
    for piece, kind in _members(source, known_as):
        name = "/".join(part for part in piece.name.split("/") if part not in ("", "."))
        taken = kind == "file" and not _HIDDEN.search(name) and wanted(name)
        if taken and max(piece.size, piece.length) > FILE_BYTES:
            kind = f"larger than {FILE_BYTES >> 20} MiB"
        elif taken and name in found:
            kind = "there twice"
        if kind not in ("file", "folder"):
            raise DisentangleError(
                f"{known_as} is refused because {piece.name!r} in it is {kind}; leave it out, "
                f"or if you trust the archive unpack it yourself and name the folder"
            )
        if taken:
            found[name] = replace(piece, name=name, source=known_as)
    return [found[name] for name in sorted(found)]


@contextmanager
def uncompressed(path: Path, folder: Path, limit: int = 64 * 2**30) -> Iterator[Path]:
    """Yield `path`, or where that is gzip, bzip2 or xz its content, as a file in `folder`.

    The file is deleted when the block ends. It may have `limit` bytes, though no more than leave
    1 GiB of the disk free, and no more than 1 GiB beyond 1000 times the compressed bytes.

    Raises:
        DisentangleError: the content is damaged or too large, or the folder cannot be written.
    """
    temporary = None
    try:
        try:
            start = b""
            if path.is_file():  # opening a pipe would wait for ever
                with path.open("rb") as file:
                    start = file.read(10)
            opened = next((of for magic, of in _COMPRESSED.items() if re.match(magic, start)), None)
            if opened is not None:
                most = min(limit, 1000 * path.stat().st_size + 2**30)
                most = min(most, shutil.disk_usage(folder).free - 2**30)
                handle, name = tempfile.mkstemp(".unpacked", f".{path.name[:64]}-", folder)
                temporary = Path(name)
                with open(handle, "wb") as target, opened(path) as stream:
                    while chunk := stream.read(2**20):
                        if target.tell() + len(chunk) > most:
                            raise ValueError(f"it unpacks to more than {max(most, 0)} bytes")
                        target.write(chunk)
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
            said = _words(error)
            why = f"cannot unpack {path} in {folder}: {said}; get it again or unpack it yourself"
            raise DisentangleError(why) from error
        yield temporary or path
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _words(error: Exception) -> str:
    """Return what went wrong, without the file's name, which may be one that nobody knows."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class _Headers(io.BufferedReader):
    """An archive whose headers are read: so many bytes, for those of a bomb would fill memory."""

    left = DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, unless they are more than are left."""
        most = self.left + 1
        content = super().read(most if size is None or size < 0 else min(size, most))
        self.left -= len(content)
        if self.left < 0:
            raise ValueError("its headers are too large to be those of an archive of images")
        return content


def _members(source: Path, known_as: Path) -> Iterator[tuple[Piece, str]]:
    try:
        if source.is_dir():
            yield from _in_folder(source)
        elif not source.is_file():  # opening a pipe would wait for ever
            raise ValueError("there is neither a folder nor a regular file")
        else:
            with _Headers(io.FileIO(source)) as file:
                members = _in_zip if file.read(4) in (b"PK\3\4", b"PK\5\6") else _in_tar
                end = file.seek(0, os.SEEK_END)
                file.seek(0)
                for piece, kind in members(source, file):
                    # Before tarfile goes on: a negative size would lead back to the same header.
                    if min(piece.offset, piece.size) < 0 or piece.offset + piece.size > end:
                        raise ValueError(f"{piece.name!r} lies outside it")
                    yield piece, "at an unsafe path" if _UNSAFE.search(piece.name) else kind
    except Exception as error:  # damage shows in any way
        said = _words(error)
        why = f"cannot read {known_as}: {said}; name a folder, or a tar or zip that is whole"
        raise DisentangleError(why) from error


def _in_folder(source: Path) -> Iterator[tuple[Piece, str]]:
    folders = [(str(source), "")]
    while folders:
        path, prefix = folders.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False) and not _HIDDEN.match(entry.name):
                    folders.append((entry.path, f"{name}/"))
                elif entry.is_file():
                    size = entry.stat().st_size
                    yield Piece(name, Path(entry.path), 0, size, "plain", size, None), "file"


def _in_tar(source: Path, file: _Headers) -> Iterator[tuple[Piece, str]]:
    file.left = HEADERS
    with tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as tar:
        while (info := tar.next()) is not None:
            file.left = HEADERS
            tar.members.clear()  # type: ignore[attr-defined]  # with what their headers said
            if len(tar.pax_headers) > SHARED:
                raise ValueError("the headers before its files have too many entries")
            plain = info.isreg() and not info.issparse()
            kind = "folder" if info.isdir() else "file" if plain else _SPECIAL
            size = info.size
            yield Piece(info.name, source, info.offset_data, size, "plain", size, None), kind
        file.seek(tar.offset)
    # There tarfile stops without a word: at damage, at the end, at that of the first of two tars.
    if file.read(512) != bytes(512) or file.read(2**16).strip(b"\0"):
        raise ValueError("its members are not followed by its end, so it is truncated or damaged")


def _in_zip(source: Path, file: _Headers) -> Iterator[tuple[Piece, str]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            method: Method = "deflated" if info.compress_type else "stored"
            kind = "folder" if info.is_dir() else "file"
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = _SPECIAL
            elif info.flag_bits & _ENCRYPTED:
                kind = "encrypted"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                kind = "compressed by another method than deflate"
            name, at = info.orig_filename, info.header_offset  # .filename stops at a zero byte
            size, length = info.compress_size, info.file_size
            yield Piece(name, source, at, size, method, length, info.CRC), kind
