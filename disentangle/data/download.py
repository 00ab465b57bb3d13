"""Downloads of published dataset files: resumed after an interruption, and checked."""

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from disentangle._utils.callbacks import Progress, Say, silent
from disentangle._utils.files import data_folder, write_json
from disentangle.errors import DisentangleError

TIMEOUT = 30.0  # seconds, for a connection and for each part of a response


def checksum(path: Path, algorithm: str) -> str:
    """Return "md5:..." or "sha256:..." of a file; raise OSError if it cannot be read."""
    with path.open("rb") as file:  # not used for security, for which a policy may forbid MD5
        new = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{new.hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file that a dataset's authors publish."""

    name: str  # its name on disk
    urls: tuple[str, ...]  # http or https, tried in this order; none if it has no fixed address
    checksum: str | None = None  # "md5:..." or "sha256:..."; None if none is published
    size: int | None = None  # bytes, if known


def fetch(remote: Remote, folder: Path, *, say: Say = silent, progress: Progress = silent) -> Path:
    """Return `folder` / `remote.name`; download it unless the file exists.

    After an interruption, the next call continues. A second process waits for the first.
    `progress` receives the bytes so far and the bytes of the whole file, or 0 if unknown.

    Raises:
        DisentangleError: no URL works, `folder` is not writable, or the file has another size.
    """
    path = folder / remote.name
    try:
        if not path.exists():  # checked without the lock, as the folder may be read-only
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f".{path.name}.lock"):
                if not path.exists():  # another process may have downloaded it meanwhile
                    _download(remote, path.absolute(), say, progress)
    except OSError as error:
        remedy = "free some space, or choose another data folder"
        raise DisentangleError(
            f"cannot download {path.name} to {folder}: {_reason(error)}; {remedy}"
        ) from error
    if remote.size not in (None, size := path.stat().st_size):
        raise DisentangleError(
            f"{path}: expected {remote.size} bytes, got {size}. Delete it to download it again"
        )
    return path


def verify(remote: Remote, path: Path) -> str | None:
    """Return None if the checksum is right or none is published, else a one-line error message."""
    published = remote.checksum.lower() if remote.checksum else None
    actual = checksum(path, published.partition(":")[0]) if published else None
    return None if actual == published else f"{path}: expected checksum {published}, got {actual}"


def downloaded(remote: Remote, *, verified: bool = True) -> Path:
    """Return a published file that the user put into the folder of downloads, such as weights.

    Nothing is downloaded.

    Args:
        remote: the published file.
        verified: compare its checksum, which reads the whole file.

    Raises:
        DisentangleError: it is missing, or is another file; the message says what to fetch.
    """
    path = data_folder() / "downloads" / remote.name
    quoted = shlex.quote(str(path))
    command = f"`curl -L --create-dirs -o {quoted} {remote.urls[0]}`"
    size = f" ({remote.size / 1e6:,.0f} MB)" if remote.size else ""
    if not path.is_file():
        raise DisentangleError(
            f"{remote.name} is not in the folder of downloads. Download it{size} with {command}"
        )
    try:
        problem = verify(remote, path) if verified else None
    except OSError as error:
        raise DisentangleError(f"cannot read {path}: {_reason(error)}") from error
    if problem:
        raise DisentangleError(f"{problem}. Download the published file{size} with {command}")
    return path


def _download(remote: Remote, path: Path, say: Say, progress: Progress) -> None:
    import pooch
    from requests import RequestException

    pooch.get_logger().disabled = True  # `say` reports what matters to the user
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
                if isinstance(error, RequestException):  # the bytes received so far are good
                    continue
            notes.unlink(missing_ok=True)
            part.unlink(missing_ok=True)  # either moved into place by now, or wrong
            if path.exists():
                if remote.checksum is None:
                    say(
                        f"{path.name}: no checksum is published; the file has "
                        f"{checksum(path, 'sha256')}"
                    )
                return
    remedy = "try again, or download the file yourself and give it with `--file FILE`"
    raise DisentangleError(f"cannot download {path.name}: {'; '.join(failed)}; {remedy}")


@contextmanager
def _workplace(path: Path) -> Iterator[Path]:
    """Yield a folder beside `path` for pooch's temporary files, and delete it afterwards.

    This also deletes files left by a killed process; the caller holds the file's lock.
    """
    folder = path.with_name(f".{path.name}.new")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Downloader:
    """A pooch downloader that resumes from the bytes in `part`; `notes` identifies their file."""

    remote: Remote
    part: Path
    notes: Path
    progress: Progress

    def __call__(self, url: str, to: str, _: object) -> None:
        try:
            start, notes = self.part.stat().st_size, json.loads(self.notes.read_bytes())
        except (FileNotFoundError, ValueError):
            start, notes = 0, {}
        marks = notes.get(url, {})  # tags of another host are no use; then the checksum decides
        if not (start and (marks or self.remote.checksum) and self.receive(url, start, marks)):
            self.receive(url, 0, {})
        os.unlink(to)
        try:
            os.link(self.part, to)  # so that an interrupt while pooch hashes the file loses nothing
        except OSError:  # a file system without links
            os.replace(self.part, to)

    def receive(self, url: str, start: int, marks: dict[str, str]) -> bool:
        """Write the file from byte `start` on, or all of it; return False if resuming fails."""
        from requests import RequestException, get
        from urllib3.exceptions import HTTPError

        request_headers = {"Accept-Encoding": "identity"} | (
            {"Range": f"bytes={start}-"} if start else {}
        )
        request_headers |= {"If-Range": next(iter(marks.values()))} if marks else {}
        with get(url, headers=request_headers, stream=True, timeout=TIMEOUT) as response:
            code, headers = response.status_code, response.headers
            if code not in ((200, 206, 416) if start else (200,)):
                raise RequestException(f"HTTP {code} {response.reason}")
            if code != 416 and headers.get("Content-Type", "").lower().startswith("text/html"):
                raise RequestException(
                    "got a web page instead of the file: the host refused, or its quota is used up"
                )
            span, _, total = headers.get(
                "Content-Range", headers.get("Content-Length", "")
            ).rpartition("/")
            size = int(total) if total.isdecimal() else self.remote.size or 0
            same = all(headers.get(name, mark) == mark for name, mark in marks.items())
            if code == 416:
                return same and span == "bytes *" and start == size == (self.remote.size or size)
            if code == 206 and not (same and span.startswith(f"bytes {start}-")):
                return False
            if self.remote.size not in (None, size):
                raise RequestException(f"expected {self.remote.size} bytes, the host offers {size}")
            done = start if code == 206 else 0
            with self.part.open("ab" if done else "wb") as file:
                if not done:  # a weak ETag does not guarantee the same bytes
                    tags = ((name, headers.get(name, "W/")) for name in ("ETag", "Last-Modified"))
                    write_json(self.notes, {url: {n: t for n, t in tags if t[:2] != "W/"}})
                try:
                    for block in response.raw.stream(
                        2**16, decode_content=False
                    ):  # encoded, as the sizes are
                        done += len(block)
                        if 0 < size < done:
                            raise ValueError(f"expected {size} bytes, got more")
                        file.write(block)
                        self.progress(done, size)
                except HTTPError as error:
                    raise RequestException(f"stopped at byte {done}: {_reason(error)}") from None
                file.flush()
                os.fsync(file.fileno())  # a complete file is trusted, even after a power cut
        if done < size:
            raise RequestException(f"stopped at byte {done} of {size}")
        return True


def _reason(error: BaseException) -> str:
    """Return the message of the innermost nested error, on one line."""
    for inner in (getattr(error, "reason", None), error.__cause__, *error.args):
        if isinstance(inner, BaseException):
            return _reason(inner)
    timeout = f"no response for {TIMEOUT:g} s" if isinstance(error, TimeoutError) else ""
    return timeout or getattr(error, "strerror", None) or str(error).partition("\n")[0]
