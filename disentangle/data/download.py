"""Downloads of files that datasets' authors publish: resumed where they stopped, and checked."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.files import write_json
from disentangle.errors import DisentangleError

TIMEOUT = 30.0  # seconds, for a connection and for each next part of an answer


def checksum(path: Path, algorithm: str) -> str:
    """Return "md5:..." or "sha256:..." of a file; OSError if it cannot be read."""
    with path.open("rb") as file:  # not for security: a policy may forbid MD5 for that
        new = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{new.hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file that a dataset's authors publish."""

    name: str  # as it is called on disk
    urls: tuple[str, ...]  # http or https, tried in this order
    checksum: str | None = None  # "md5:..." or "sha256:..."; None: none is published
    size: int | None = None  # bytes, where known


def fetch(remote: Remote, folder: Path, *, say: Say = silent, progress: Progress = silent) -> Path:
    """Return `folder` / `remote.name`, downloaded unless a file of its size is there already.

    The next call goes on where one was interrupted. A second process waits for the first.
    `progress` is told the bytes that came, and those of the whole file or 0.

    Raises:
        DisentangleError: no address gave it, `folder` cannot be written, or another file is there.
    """
    path = folder / remote.name
    try:
        if not path.exists():  # asked without the lock: the folder may be read-only
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f".{path.name}.lock"):
                if not path.exists():  # another process may have brought it meanwhile
                    _download(remote, path.absolute(), say, progress)
    except OSError as error:
        why = f"{_reason(error)}; make room there, or choose another data folder"
        raise DisentangleError(f"cannot download {path.name} to {folder}: {why}") from error
    if remote.size not in (None, path.stat().st_size):
        raise DisentangleError(f"{path} has not {remote.size} bytes: delete it to get it again")
    return path


def verify(remote: Remote, path: Path) -> str | None:
    """Return None if the checksum is right or none is published, else one line on what is wrong."""
    published = remote.checksum.lower() if remote.checksum else None
    found = checksum(path, published.partition(":")[0]) if published else None
    return None if found == published else f"{path} has the checksum {found}, not {published}"


def _download(remote: Remote, path: Path, say: Say, progress: Progress) -> None:
    import pooch
    from requests import RequestException

    pooch.get_logger().disabled = True  # `say` tells the user what matters
    part, notes = (path.with_name(f".{path.name}.part{end}") for end in ("", ".json"))
    downloader = _Downloader(remote, part, notes, progress)
    failed: list[str] = []
    with _workplace(path) as folder:
        for url in remote.urls:
            if failed:
                say(f"{failed[-1]}; trying {url}")
            try:
                pooch.retrieve(url, remote.checksum, path.name, folder, None, downloader)
                os.replace(folder / path.name, path)
            except (RequestException, ValueError) as error:
                failed.append(f"{url}: {_reason(error).partition('. Deleted')[0]}")
                if isinstance(error, RequestException):  # then what came is right so far
                    continue
            notes.unlink(missing_ok=True)
            part.unlink(missing_ok=True)  # the file itself by now, or wrong
            if path.exists():
                if remote.checksum is None:
                    say(f"{path.name}: no checksum is published; it has {checksum(path, 'sha256')}")
                return
    how = "try again, or get the file in another way and name it with --from FILE"
    raise DisentangleError(f"cannot download {path.name}: {'; '.join(failed)}; {how}")


@contextmanager
def _workplace(path: Path) -> Iterator[Path]:
    """Yield a folder beside `path` for what pooch makes meanwhile, and delete it afterwards.

    What a process that was killed left there goes too; whoever calls this holds the file's lock.
    """
    folder = path.with_name(f".{path.name}.new")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Downloader:
    """For pooch: goes on from what came before, in `part`; `notes` tells of which file that is."""

    remote: Remote
    part: Path
    notes: Path
    progress: Progress

    def __call__(self, url: str, to: str, _: object) -> None:
        try:
            start, notes = self.part.stat().st_size, json.loads(self.notes.read_bytes())
        except (FileNotFoundError, ValueError):
            start, notes = 0, {}
        marks = notes.get(url, {})  # those of another host tell nothing: the checksum has to
        if not (start and (marks or self.remote.checksum) and self.receive(url, start, marks)):
            self.receive(url, 0, {})
        os.unlink(to)
        try:
            os.link(self.part, to)  # so that an interrupt while pooch hashes loses nothing
        except OSError:  # a file system without links
            os.replace(self.part, to)

    def receive(self, url: str, start: int, marks: dict[str, str]) -> bool:
        """Write the file from byte `start` on, or all; return False if the host cannot go on."""
        from requests import RequestException, get
        from urllib3.exceptions import HTTPError

        asked = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        asked |= {"If-Range": next(iter(marks.values()))} if marks else {}
        with get(url, headers=asked, stream=True, timeout=TIMEOUT) as response:
            code, got = response.status_code, response.headers
            if code not in ((200, 206, 416) if start else (200,)):
                raise RequestException(f"HTTP {code} {response.reason}")
            if code != 416 and got.get("Content-Type", "").lower().startswith("text/html"):
                raise RequestException("a web page came: the host refused, or its quota is spent")
            span, _, total = got.get("Content-Range", got.get("Content-Length", "")).rpartition("/")
            size = int(total) if total.isdecimal() else self.remote.size or 0
            same = all(got.get(name, mark) == mark for name, mark in marks.items())
            if code == 416:
                return same and span == "bytes *" and start == size == (self.remote.size or size)
            if code == 206 and not (same and span.startswith(f"bytes {start}-")):
                return False
            if self.remote.size not in (None, size):
                raise RequestException(f"the file there has {size} bytes, not {self.remote.size}")
            done = start if code == 206 else 0
            with self.part.open("ab" if done else "wb") as file:
                if not done:  # a weak ETag does not promise the same bytes
                    tags = ((name, got.get(name, "W/")) for name in ("ETag", "Last-Modified"))
                    write_json(self.notes, {url: {n: t for n, t in tags if t[:2] != "W/"}})
                try:
                    for block in response.raw.stream(2**16, decode_content=False):  # as lengths are
                        done += len(block)
                        if 0 < size < done:
                            raise ValueError(f"more than its {size} bytes came")
                        file.write(block)
                        self.progress(done, size)
                except HTTPError as error:
                    raise RequestException(f"stopped at byte {done}: {_reason(error)}") from None
                file.flush()
                os.fsync(file.fileno())  # a file in place is trusted, even after a power cut
        if done < size:
            raise RequestException(f"stopped at byte {done} of {size}")
        return True


def _reason(error: BaseException) -> str:
    """Return the innermost of nested errors, on one line."""
    for inner in (getattr(error, "reason", None), error.__cause__, *error.args):
        if isinstance(inner, BaseException):
            return _reason(inner)
    late = f"no answer for {TIMEOUT:g} s" if isinstance(error, TimeoutError) else ""
    return late or getattr(error, "strerror", None) or str(error).partition("\n")[0]
