"""Image files in a folder, a tar or a zip, read in place: nothing is ever extracted."""

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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from disentangle._utils.callbacks import Say, silent
from disentangle.data.file_kinds import kind_of
from disentangle.errors import DisentangleError

FILE_BYTES = 64 * 2**20  # maximum bytes of one file, unpacked
DIRECTORY = 2**28  # maximum bytes of a zip's list of files
HEADERS = 2**20  # maximum bytes of the headers of one file in a tar, such as long names
LISTED = 6  # types of files left out that a message lists
SHARED = 64  # maximum entries in the headers shared by all files of a tar

_UNSAFE = re.compile(r"^/|(^|/)(\.\.(/|$)|[A-Za-z]:)|[\\\0]")
_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX(/|$))")
_LOCAL = struct.Struct("<26xHH")  # a zip's header before a member: lengths of its name and extra
_ENCRYPTED = 0x2041  # a zip's flags: encrypted, strongly so, with a masked list of members
_LEFT_OUT = ("hidden", "link to a folder", "link to nothing", "pipe, socket or device")
_SPECIAL = "a link, a device, a pipe or a sparse file"
_COMPRESSED: dict[bytes, type[gzip.GzipFile] | type[bz2.BZ2File] | type[lzma.LZMAFile]] = {
    rb"\x1f\x8b": gzip.GzipFile,
    rb"BZh[1-9]1AY&SY": bz2.BZ2File,  # in full, as a tar begins with a file name, possibly BZh...
    rb"\xfd7zXZ\x00": lzma.LZMAFile,
}

Method = Literal["plain", "stored", "deflated"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A file in a folder, tar or zip that can be read alone, in any order and in any thread."""

    name: str  # its path inside the source, with forward slashes
    path: Path  # the file on disk that holds it
    offset: int  # start of its bytes in that file; in a zip, start of its header
    size: int  # bytes as stored
    method: Method  # plain in folders and tars
    length: int  # bytes when unpacked
    crc: int | None  # CRC-32 of the unpacked bytes, if the source records one
    source: Path | None = None  # the folder or archive that the user named

    def __str__(self) -> str:
        """Return the file's name for messages."""
        return f"{self.name!r} in {self.source or self.path}"

    def read(self) -> bytes:
        """Return the unpacked bytes; raise a DisentangleError if their size or CRC is wrong."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.offset)
                if self.method != "plain":
                    file.seek(sum(_LOCAL.unpack(file.read(_LOCAL.size))), os.SEEK_CUR)
                content: bytes = file.read(self.size)
            if self.method == "deflated":
                # One byte more than expected, to notice excess bytes; a limit of 0 would mean none.
                inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                content = inflate.decompress(content, self.length + 1)
            if len(content) != self.length:
                raise ValueError(f"expected {self.length} bytes, got {len(content)}")
            if self.crc is not None and zlib.crc32(content) != self.crc:
                raise ValueError("its checksum is wrong")
        except (OSError, ValueError, struct.error, zlib.error) as error:
            message = f"cannot read {self}: {_words(error)}; get it again"
            raise DisentangleError(message) from error
        return content


def pieces(
    source: Path,
    wanted: Callable[[str], bool],
    known_as: Path | None = None,
    say: Say = silent,
) -> list[Piece]:
    """List the files of a folder, tar or zip whose name passes `wanted`, sorted by name.

    Hidden files and those in `__MACOSX` are left out. In a folder, links to files are followed,
    links to folders are not. Archives are recognised by content; only their headers are read.

    Args:
        source: the folder or archive, which is not compressed.
        wanted: a function of a file's name; True to include the file.
        known_as: the source's name in messages, if it was unpacked from another file.
        say: called with a line on the files that are left out, if there are any.

    Raises:
        DisentangleError: the source cannot be read or is damaged; an archive has a member, included
            or not, that is dangerous or cannot be read in place; an included file is too large.
    """
    known_as = known_as or source
    files: dict[str, Piece] = {}
    left_out: Counter[str] = Counter()
    for piece, kind in _members(source, known_as):
        name = "/".join(part for part in piece.name.split("/") if part not in ("", "."))
        hidden = _HIDDEN.search(name) is not None
        included = kind == "file" and not hidden and wanted(name)
        if kind in _LEFT_OUT or (kind == "file" and not included):
            left_out[kind if kind != "file" else "hidden" if hidden else _type(name)] += 1
        if included and max(piece.size, piece.length) > FILE_BYTES:
            kind = f"larger than {FILE_BYTES >> 20} MiB"
        elif included and name in files:
            kind = "present twice"
        if kind not in ("file", "folder", *_LEFT_OUT):
            raise DisentangleError(
                f"cannot use {known_as}: {piece.name!r} in it is {kind}. Remove this file, or, "
                "if you trust the archive, unpack it yourself and give the folder"
            )
        if included:
            files[name] = replace(piece, name=name, source=known_as)
    if left_out:
        say(f"{known_as}: {_omission(left_out)}")
    return [files[name] for name in sorted(files)]


def _omission(left_out: Counter[str]) -> str:
    kinds = sorted(left_out, key=lambda kind: (-left_out[kind], kind))
    counts = ", ".join(f"{kind} ({left_out[kind]:,})" for kind in kinds[:LISTED])
    more = f" and {len(kinds) - LISTED} other types" if len(kinds) > LISTED else ""
    files = "1 file is" if left_out.total() == 1 else f"{left_out.total():,} files are"
    return f"{files} left out: {counts}{more}"


def _type(name: str) -> str:
    return PurePosixPath(name).suffix or "without a suffix"


@contextmanager
def uncompressed(path: Path, folder: Path, limit: int = 64 * 2**30) -> Iterator[Path]:
    """Yield `path`, or, if it is gzip, bzip2 or xz, a temporary file in `folder` with its content.

    The temporary file is deleted when the block ends. Its size is limited to `limit` bytes, to
    1000 times the compressed bytes plus 1 GiB, and so that 1 GiB of the disk stays free.

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
                maximum = min(limit, 1000 * path.stat().st_size + 2**30)
                maximum = min(maximum, shutil.disk_usage(folder).free - 2**30)
                handle, name = tempfile.mkstemp(".unpacked", f".{path.name[:64]}-", folder)
                temporary = Path(name)
                with open(handle, "wb") as target, opened(path) as stream:
                    while chunk := stream.read(2**20):
                        if target.tell() + len(chunk) > maximum:
                            raise ValueError(f"it unpacks to more than {max(maximum, 0)} bytes")
                        target.write(chunk)
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
            message = f"cannot unpack {path} in {folder}: {_words(error)}"
            raise DisentangleError(f"{message}; get it again or unpack it yourself") from error
        yield temporary or path
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _words(error: Exception) -> str:
    """Return an error's message without the file's name, which may be a temporary one."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class _Headers(io.BufferedReader):
    """An archive whose headers are limited in size, as those of a zip bomb would fill memory."""

    left = DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        """Read the next bytes; raise a ValueError if the limit is exceeded."""
        limit = self.left + 1
        content = super().read(limit if size is None or size < 0 else min(size, limit))
        self.left -= len(content)
        if self.left < 0:
            raise ValueError("its headers are too large for an archive of images")
        return content


def _members(source: Path, known_as: Path) -> Iterator[tuple[Piece, str]]:
    try:
        if source.is_dir():
            yield from _in_folder(source)
        elif not source.is_file():  # opening a pipe would wait for ever
            raise ValueError("it is neither a folder nor a regular file")
        else:
            with _Headers(io.FileIO(source)) as file:
                members = _in_zip if file.read(4) in (b"PK\3\4", b"PK\5\6") else _in_tar
                end = file.seek(0, os.SEEK_END)
                file.seek(0)
                for piece, kind in members(source, file):
                    # Before tarfile continues: a negative size would loop over the same header.
                    if min(piece.offset, piece.size) < 0 or piece.offset + piece.size > end:
                        raise ValueError(f"{piece.name!r} is outside the archive")
                    yield piece, "at an unsafe path" if _UNSAFE.search(piece.name) else kind
    except Exception as error:  # a damaged file can raise anything
        kind = kind_of(source) if isinstance(error, tarfile.ReadError) else ""
        problem = f"it is {kind}" if kind else _words(error)
        remedy = "use a folder, or an intact tar or zip"
        if kind == "a Parquet file":
            remedy = f"write `hf:{known_as}` to read its images"
        message = f"cannot read {known_as}: {problem}; {remedy}"
        raise DisentangleError(message) from error


def _in_folder(source: Path) -> Iterator[tuple[Piece, str]]:
    folders = [(str(source), "")]
    while folders:
        path, prefix = folders.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False) and not _HIDDEN.match(entry.name):
                    folders.append((entry.path, f"{name}/"))
                    continue
                kind, size = _kind(entry), 0
                if kind == "file":
                    size = entry.stat().st_size
                yield Piece(name, Path(entry.path), 0, size, "plain", size, None), kind


def _kind(entry: os.DirEntry[str]) -> str:
    """What an entry of a folder is: a file, or one of `_LEFT_OUT`; folders are only hidden ones."""
    if entry.is_file():
        return "file"
    if _HIDDEN.match(entry.name):
        return "hidden"
    if entry.is_symlink():
        return "link to a folder" if entry.is_dir() else "link to nothing"
    return "pipe, socket or device"


def _in_tar(source: Path, file: _Headers) -> Iterator[tuple[Piece, str]]:
    file.left = HEADERS
    with tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as tar:
        while (info := tar.next()) is not None:
            file.left = HEADERS
            tar.members.clear()  # type: ignore[attr-defined]  # frees the memory of their headers
            if len(tar.pax_headers) > SHARED:
                raise ValueError("its shared headers have too many entries")
            plain = info.isreg() and not info.issparse()
            kind = "folder" if info.isdir() else "file" if plain else _SPECIAL
            size = info.size
            yield Piece(info.name, source, info.offset_data, size, "plain", size, None), kind
        file.seek(tar.offset)
    # tarfile stops silently at the end of the archive, at damage, and between concatenated tars.
    if file.read(512) != bytes(512) or file.read(2**16).strip(b"\0"):
        raise ValueError("it is truncated or damaged: no end marker after its last member")


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
                kind = "compressed with a method other than deflate"
            name, at = info.orig_filename, info.header_offset  # .filename stops at a zero byte
            size, length = info.compress_size, info.file_size
            yield Piece(name, source, at, size, method, length, info.CRC), kind
