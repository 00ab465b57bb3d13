"""Downloads from a local host that answers as it is told to: badly, in most tests."""

import gzip
import hashlib
import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from disentangle.data import download as module
from disentangle.data.download import Remote, checksum, downloaded, fetch, verify
from disentangle.errors import DisentangleError

CONTENT = bytes(range(256)) * 1024  # 256 KiB: several blocks
OTHER = CONTENT[::-1]
CUT = 100_000
SUM = f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"
SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
NAME = "set.npz"


@dataclass
class Page:
    """What the host answers at one address; `asked` is what it was asked there."""

    url: str
    content: bytes = CONTENT
    status: int = 200
    tags: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    headers: dict[str, str] = field(default_factory=dict)  # in place of the right ones; "": none
    ranges: bool = True
    guards: bool = True  # whether it knows If-Range
    cut: int | None = None  # bytes of the body after which it ends the connection
    go: threading.Event = field(default_factory=threading.Event)  # it waits for this to answer,
    end: threading.Event = field(default_factory=threading.Event)  # and for this to close
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.go.set()
        self.end.set()

    def answer(self, asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        size = len(self.content)
        kept = not self.guards or asked.get("If-Range") in (None, *self.tags.values())
        if not (self.ranges and kept and "Range" in asked):
            return self.status, {**self.tags, "Content-Length": str(size)}, self.content
        start = int(asked["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= size:
            return 416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"}, b""
        span = f"bytes {start}-{size - 1}/{size}"
        length = {"Content-Range": span, "Content-Length": str(size - start)}
        return 206, self.tags | length, self.content[start:]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page: Page = self.server.pages[self.path]  # type: ignore[attr-defined]
        page.asked.append(dict(self.headers))
        assert page.go.wait(10)
        code, headers, body = page.answer(page.asked[-1])
        with suppress(ConnectionError):  # where it was refused half-way
            self.send_response(code)
            for name, value in {**headers, **page.headers}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: page.cut])
        assert page.end.wait(10)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Page]]:
    """A function that adds an address to the host."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing the server waits for their sockets
    server.pages = {}  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def add(**options: Any) -> Page:
        path = f"/{len(server.pages)}/{NAME}"  # type: ignore[attr-defined]
        new = Page(f"http://127.0.0.1:{server.server_port}{path}", **options)
        server.pages[path] = new  # type: ignore[attr-defined]
        return new

    yield add
    for one in server.pages.values():  # type: ignore[attr-defined]
        one.go.set()
        one.end.set()
    server.shutdown()
    thread.join()
    server.server_close()


def remote(*pages: Page, **options: Any) -> Remote:
    return Remote(**{"name": NAME, "urls": tuple(p.url for p in pages), "checksum": SUM} | options)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {f".{NAME}.lock"}


PARTIAL = {f".{NAME}.part", f".{NAME}.part.json"}


def fail(wanted: Remote, folder: Path, match: str) -> str:
    with pytest.raises(DisentangleError, match=match) as caught:
        fetch(wanted, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def interrupted(page: Page, folder: Path, **options: Any) -> Path:
    """Download `CUT` bytes and no more, and return where they lie."""
    page.cut = CUT
    fail(remote(page, **options), folder, "stopped")
    page.cut = None
    return folder / f".{NAME}.part"


def test_a_file_is_downloaded_with_progress(page: Callable[..., Page], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    host = page()
    path = fetch(remote(host), tmp_path / "new", progress=lambda *n: seen.append(n))
    assert path == tmp_path / "new" / NAME
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == {NAME}
    assert host.asked[0]["Accept-Encoding"] == "identity"
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 2
    assert seen == sorted(seen)


def test_a_file_in_place_is_trusted(page: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(OTHER)
    host = page()
    assert fetch(remote(host, size=len(OTHER)), tmp_path).read_bytes() == OTHER
    assert host.asked == []
    assert [path.name for path in tmp_path.iterdir()] == [NAME]  # nor a lock: it may be read-only


def test_a_file_of_another_size_is_refused(page: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:-1])
    fail(remote(page(), size=len(CONTENT)), tmp_path, "Delete it")


@pytest.mark.parametrize("tags", [{"ETag": '"one"'}, {"Last-Modified": "Mon, 01 Jan 2018"}])
def test_only_the_rest_is_asked_for(
    page: Callable[..., Page], tmp_path: Path, tags: dict[str, str]
) -> None:
    host = page(tags=tags)
    assert interrupted(host, tmp_path, checksum=None).read_bytes() == CONTENT[:CUT]
    assert left(tmp_path) == PARTIAL
    seen: list[tuple[int, int]] = []
    path = fetch(remote(host, checksum=None), tmp_path, progress=lambda *n: seen.append(n))
    assert host.asked[1]["Range"] == f"bytes={CUT}-"
    assert host.asked[1]["If-Range"] in tags.values()
    assert len(host.asked) == 2
    assert path.read_bytes() == CONTENT
    assert CUT < seen[0][0] < len(CONTENT) == seen[0][1]
    assert left(tmp_path) == {NAME}


def test_a_host_that_ignores_ranges_starts_over(page: Callable[..., Page], tmp_path: Path) -> None:
    host = page(ranges=False)
    interrupted(host, tmp_path)
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    assert len(host.asked) == 2


@pytest.mark.parametrize("guards", [True, False])
def test_a_file_that_changed_starts_over(
    page: Callable[..., Page], tmp_path: Path, guards: bool
) -> None:
    host = page(guards=guards)
    interrupted(host, tmp_path, checksum=None)
    host.content, host.tags = OTHER, {"ETag": '"two"'}
    assert fetch(remote(host, checksum=None), tmp_path).read_bytes() == OTHER


@pytest.mark.parametrize("tags", [{}, {"ETag": 'W/"weak"'}])
def test_a_file_by_which_no_change_is_known_starts_over(
    page: Callable[..., Page], tmp_path: Path, tags: dict[str, str]
) -> None:
    host = page(tags=tags)
    interrupted(host, tmp_path, checksum=None)
    host.content = OTHER
    assert fetch(remote(host, checksum=None), tmp_path).read_bytes() == OTHER
    assert "Range" not in host.asked[1]


def test_another_part_than_was_asked_for_starts_over(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    host = page()
    interrupted(host, tmp_path)
    host.headers = {"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    assert ["Range" in asked for asked in host.asked] == [False, True, False]


def test_a_part_that_is_longer_than_the_file_starts_over(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    host = page()
    interrupted(host, tmp_path, checksum=None)
    host.content = OTHER[: CUT - 1]
    assert fetch(remote(host, checksum=None), tmp_path).read_bytes() == host.content


def test_another_host_goes_on(page: Callable[..., Page], tmp_path: Path) -> None:
    first, second = page(cut=CUT), page(tags={"ETag": '"theirs"'})
    assert fetch(remote(first, second), tmp_path).read_bytes() == CONTENT
    assert second.asked[0]["Range"] == f"bytes={CUT}-"
    assert "If-Range" not in second.asked[0]


def test_another_host_starts_over_where_no_checksum_is_published(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    hosts = page(cut=CUT), page(content=OTHER)
    assert fetch(remote(*hosts, checksum=None), tmp_path).read_bytes() == OTHER


def test_an_interrupt_leaves_what_came(page: Callable[..., Page], tmp_path: Path) -> None:
    def interrupt(done: int, size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(remote(page()), tmp_path, progress=interrupt)
    assert left(tmp_path) == PARTIAL
    assert (tmp_path / f".{NAME}.part").stat().st_size > 0


def test_an_interrupt_of_the_check_loses_nothing(
    page: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    host = page()
    with monkeypatch.context() as patch:
        patch.setattr("pooch.core.hash_matches", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(remote(host), tmp_path)
    assert left(tmp_path) == PARTIAL
    assert fetch(remote(host), tmp_path).read_bytes() == CONTENT
    assert [asked.get("Range") for asked in host.asked] == [None, f"bytes={len(CONTENT)}-"]
    assert left(tmp_path) == {NAME}


@pytest.mark.parametrize("cut", [None, CUT])
def test_what_a_killed_process_left_goes_with_success_and_failure(
    page: Callable[..., Page], tmp_path: Path, cut: int | None
) -> None:
    folder = tmp_path / f".{NAME}.new"
    folder.mkdir()
    (folder / "tmpabcdefgh").touch()  # by pooch
    with suppress(DisentangleError):
        fetch(remote(page(cut=cut)), tmp_path)
    assert left(tmp_path) == ({NAME} if cut is None else PARTIAL)


def test_the_check_needs_no_links(
    page: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", refuse)
    assert fetch(remote(page()), tmp_path).read_bytes() == CONTENT
    assert left(tmp_path) == {NAME}


def test_a_host_that_fails_is_said_and_the_next_is_tried(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    said: list[str] = []
    first, second = page(status=404), page()
    assert fetch(remote(first, second), tmp_path, say=said.append).read_bytes() == CONTENT
    assert said == [f"{first.url}: HTTP 404 Not Found; trying {second.url}"]


def test_all_failures_are_listed(page: Callable[..., Page], tmp_path: Path) -> None:
    first, second = page(status=404), page(status=500)
    message = fail(remote(first, second), tmp_path, "give it with `--file FILE`")
    assert f"{first.url}: HTTP 404" in message
    assert f"{second.url}: HTTP 500" in message
    assert left(tmp_path) == set()


def test_a_web_page_is_refused(page: Callable[..., Page], tmp_path: Path) -> None:
    host = page()
    part = interrupted(host, tmp_path)
    host.headers = {"Content-Type": "text/html; charset=utf-8"}
    fail(remote(host), tmp_path, "refused, or its quota is used up")
    assert part.read_bytes() == CONTENT[:CUT]


def test_a_wrong_checksum_leaves_nothing(page: Callable[..., Page], tmp_path: Path) -> None:
    message = fail(remote(page(content=OTHER)), tmp_path, SUM)
    assert hashlib.md5(OTHER, usedforsecurity=False).hexdigest() in message
    assert left(tmp_path) == set()


def test_after_a_wrong_checksum_the_next_is_tried(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    first, second = page(content=OTHER), page()
    assert fetch(remote(first, second), tmp_path).read_bytes() == CONTENT
    assert "Range" not in second.asked[0]


def test_an_unpublished_checksum_is_said(page: Callable[..., Page], tmp_path: Path) -> None:
    said: list[str] = []
    fetch(remote(page(), checksum=None), tmp_path, say=said.append)
    assert len(said) == 1
    assert SHA in said[0]


def test_a_body_that_ends_early_is_kept(page: Callable[..., Page], tmp_path: Path) -> None:
    host = page(headers={"Content-Length": str(len(CONTENT) + 1)})
    fail(remote(host), tmp_path, f"stopped at byte {len(CONTENT)}")
    assert left(tmp_path) == PARTIAL


def test_a_body_of_no_length_that_ends_early_is_kept(
    page: Callable[..., Page], tmp_path: Path
) -> None:
    host = page(headers={"Content-Length": ""}, cut=CUT)
    fail(remote(host, size=len(CONTENT)), tmp_path, f"stopped at byte {CUT} of {len(CONTENT)}")
    assert left(tmp_path) == PARTIAL


def test_more_than_the_known_size_is_refused(page: Callable[..., Page], tmp_path: Path) -> None:
    host = page(headers={"Content-Length": ""})
    fail(remote(host, size=CUT, checksum=None), tmp_path, f"expected {CUT} bytes, got more")
    assert left(tmp_path) == set()


def test_more_than_was_announced_is_refused(page: Callable[..., Page], tmp_path: Path) -> None:
    host = page()
    interrupted(host, tmp_path, checksum=None)
    host.headers = {"Content-Range": f"bytes {CUT}-{CUT + 9}/{CUT + 10}"}
    fail(remote(host, checksum=None), tmp_path, f"expected {CUT + 10} bytes, got more")
    assert left(tmp_path) == set()


def test_another_size_is_refused_at_once(page: Callable[..., Page], tmp_path: Path) -> None:
    seen: list[int] = []
    wanted = remote(page(), size=CUT)
    with pytest.raises(
        DisentangleError, match=f"expected {CUT} bytes, the host offers {len(CONTENT)}"
    ):
        fetch(wanted, tmp_path, progress=lambda *n: seen.extend(n))
    assert (seen, left(tmp_path)) == ([], set())


def test_compressed_bytes_are_kept_as_they_are(page: Callable[..., Page], tmp_path: Path) -> None:
    host = page(content=gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"})
    assert fetch(remote(host, checksum=None), tmp_path).read_bytes() == host.content


@pytest.mark.parametrize("stalls", ["go", "end"])
def test_a_host_that_does_not_answer_is_given_up(
    page: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stalls: str
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.1)
    host = page(cut=CUT)
    getattr(host, stalls).clear()
    start = time.perf_counter()
    fail(remote(host), tmp_path, r"no response for 0\.1 s")
    assert time.perf_counter() - start < 20  # and not for ever
    assert left(tmp_path) == (PARTIAL if stalls == "end" else set())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/x", ": Connection refused;"),
        ("ftp://127.0.0.1/x", "adapter"),
        ("file:///x", "adapter"),
    ],
)
def test_an_address_that_cannot_be_asked_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert f"{url}: " in fail(remote(urls=(url,)), tmp_path, reason)
    assert left(tmp_path) == set()


def test_a_second_process_waits_for_the_first(page: Callable[..., Page], tmp_path: Path) -> None:
    host = page()
    host.go.clear()
    code = (
        "import pathlib, sys\n"
        "from disentangle.data.download import Remote, fetch\n"
        f"fetch(Remote(name={NAME!r}, urls=({host.url!r},)), pathlib.Path(sys.argv[1]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as first:
        while not host.asked:
            assert first.poll() is None
            time.sleep(0.01)
        timer = threading.Timer(0.3, host.go.set)
        timer.start()
        said: list[str] = []
        path = fetch(remote(host, checksum=None), tmp_path, say=said.append)
        timer.join()
    assert first.returncode == 0
    assert path.read_bytes() == CONTENT
    assert (len(host.asked), said) == (1, [])


def test_an_unwritable_folder_is_explained(page: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = fail(remote(page()), tmp_path / "file" / "data", "choose another data folder")
    assert str(tmp_path / "file" / "data") in message


def test_a_full_disk_is_explained(page: Callable[..., Page], tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    first, second = page(), page()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, limits[1]))
    try:
        fail(remote(first, second), tmp_path, "File too large; free some space")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert second.asked == []
    assert fetch(remote(first), tmp_path).read_bytes() == CONTENT


def test_pooch_is_quiet(page: Callable[..., Page], tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from disentangle.data.download import Remote, fetch\n"
        "assert not {'pooch', 'requests'} & set(sys.modules)\n"
        f"fetch(Remote(name={NAME!r}, urls=({page().url!r},)), pathlib.Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_checksums_are_verified(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    assert (checksum(path, "md5"), checksum(path, "sha256")) == (SUM, SHA)
    assert verify(remote(checksum=SUM.upper()), path) is None
    assert verify(remote(checksum=SHA), path) is None
    assert verify(remote(checksum=None), path) is None
    path.write_bytes(OTHER)
    wrong = verify(remote(), path)
    assert wrong is not None
    assert SUM in wrong
    assert checksum(path, "md5") in wrong


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The path of a file that the user fetches."""
    monkeypatch.setenv("DISENTANGLE_DATA", str(tmp_path / "my data"))
    path = tmp_path / "my data" / "downloads" / NAME
    path.parent.mkdir(parents=True)
    return path


def test_a_file_that_the_user_fetched_is_found_and_checked(weights: Path) -> None:
    remote = Remote(name=NAME, urls=("http://host/set",), checksum=SHA, size=len(CONTENT))
    weights.write_bytes(CONTENT)
    assert downloaded(remote) == weights
    weights.write_bytes(OTHER)
    assert downloaded(remote, verified=False) == weights
    with pytest.raises(DisentangleError, match=f"expected checksum {SHA}, got sha256:"):
        downloaded(remote)


def test_a_file_that_the_user_has_not_fetched_is_named_with_the_command(weights: Path) -> None:
    remote = Remote(name=NAME, urls=("http://host/set", "http://other/set"), size=95_600_000)
    with pytest.raises(DisentangleError) as caught:
        downloaded(remote)
    command = f"`curl -L --create-dirs -o '{weights}' http://host/set`"
    missing = f"{NAME} is not in the folder of downloads"
    assert str(caught.value) == f"{missing}. Download it (96 MB) with {command}"
    assert not list(weights.parent.iterdir())
