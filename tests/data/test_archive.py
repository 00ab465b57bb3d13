"""Folders, tars and zips of image files: read in place, and refused whole when they are hostile."""

import bz2
import gzip
import io
import lzma
import os
import random
import shutil
import stat
import struct
import tarfile
import threading
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from disentangle.data import archive
from disentangle.data.archive import Piece, pieces, uncompressed
from disentangle.errors import DisentangleError

FILES = {"b/2.jpg": b"two" * 100, "a.jpg": b"one", "b/10.jpg": b"", "b/c/d.jpg": bytes(3000)}


def everything(name):
    return True


def nothing(name):
    return False


def make_folder(path, files):
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def make_tar(path, files, **options):
    with tarfile.open(path, "w", **options) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def make_zip(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.filename = name  # the constructor cuts names at zero bytes
            info.compress_type = method
            packed.writestr(info, content)


MAKERS = {
    "folder": make_folder,
    "tar": make_tar,
    "zip": make_zip,
    "stored": lambda path, files: make_zip(path, files, zipfile.ZIP_STORED),
}
ARCHIVES = ("tar", "zip")


@pytest.fixture(params=list(MAKERS))
def make(request, tmp_path):
    """A function that makes a folder or archive of files; its name tells nothing."""

    def make(files):
        path = tmp_path / "source"
        MAKERS[request.param](path, files)
        return path

    return make


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """A function that wants an archive to be refused, and nothing to be written meanwhile."""
    here = tmp_path / "here" / "below"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)

    def refused(path, match, wanted=everything):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(DisentangleError, match=match) as caught:
            pieces(path, wanted)
        assert str(path) in str(caught.value)
        assert sorted(tmp_path.rglob("*")) == before

    return refused


def patched(path, signature, offset, layout, value):
    """Change a field of the last header with this signature in a zip."""
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, content.rindex(signature) + offset, value)
    path.write_bytes(content)


CENTRAL = b"PK\1\2"


def test_files_are_found_sorted_and_read_in_any_order(make):
    found = pieces(make(FILES), everything)
    assert [piece.name for piece in found] == ["a.jpg", "b/10.jpg", "b/2.jpg", "b/c/d.jpg"]
    for piece in reversed(found):
        assert piece.read() == FILES[piece.name]
        assert piece.length == len(FILES[piece.name])


def test_only_wanted_files_are_returned(make):
    found = pieces(make({**FILES, "notes.txt": b"x"}), lambda name: name.endswith("2.jpg"))
    assert [piece.name for piece in found] == ["b/2.jpg"]


@pytest.mark.parametrize("kind", ARCHIVES)
def test_folder_in_an_archive_is_no_file(tmp_path, kind):
    with (
        tarfile.open(tmp_path / "tar", "w") as tar,
        zipfile.ZipFile(tmp_path / "zip", "w") as packed,
    ):
        info = tarfile.TarInfo("folder.jpg")
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
        packed.mkdir("folder.jpg")
    assert pieces(tmp_path / kind, everything) == []


def test_empty_source_has_no_files(make):
    assert pieces(make({}), everything) == []


def test_hidden_files_are_left_out(make):
    hidden = {".a.jpg": b"", "b/._2.jpg": b"", "__MACOSX/a.jpg": b"", ".git/x.jpg": b""}
    found = pieces(make({**FILES, **hidden}), everything)
    assert {piece.name for piece in found} == set(FILES)


def test_files_can_be_read_in_threads_at_once(make):
    found = pieces(make(FILES), everything)
    read = {}
    threads = [
        threading.Thread(target=lambda p=p: read.update({p.name: p.read()})) for p in found * 8
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == FILES


def test_links_to_files_are_followed_and_those_to_folders_not(tmp_path):
    make_folder(tmp_path / "source", FILES)
    make_folder(tmp_path / "other", {"x.jpg": b"linked"})
    (tmp_path / "source" / "link.jpg").symlink_to(tmp_path / "other" / "x.jpg")
    (tmp_path / "source" / "broken.jpg").symlink_to(tmp_path / "absent")
    (tmp_path / "source" / "around").symlink_to(tmp_path / "source", target_is_directory=True)
    found = {piece.name: piece for piece in pieces(tmp_path / "source", everything)}
    assert set(found) == {*FILES, "link.jpg"}
    assert found["link.jpg"].read() == b"linked"


def test_pipes_in_a_folder_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert pieces(tmp_path, everything) == []


def test_files_that_are_left_out_are_counted_by_type(make):
    others = {".a.jpg": b"", "__MACOSX/a.jpg": b"", "n.txt": b"", "b/n.txt": b"", "README": b""}
    said = []
    source = make({**FILES, **others})
    pieces(source, lambda name: name.endswith(".jpg"), say=said.append)
    expected = "5 files are left out: .txt (2), hidden (2), without a suffix (1)"
    assert said == [f"{source}: {expected}"]


def test_links_and_pipes_that_are_left_out_are_counted(tmp_path):
    folder, said = tmp_path / "source", []
    make_folder(folder, FILES)
    (folder / "broken.jpg").symlink_to(tmp_path / "absent")
    (folder / "around").symlink_to(folder, target_is_directory=True)
    (folder / ".git").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    pieces(folder, everything, say=said.append)
    kinds = "hidden (1), link to a folder (1), link to nothing (1), pipe, socket or device (1)"
    assert said == [f"{folder}: 4 files are left out: {kinds}"]


def test_nothing_is_said_if_nothing_is_left_out(make):
    said = []
    pieces(make(FILES), everything, say=said.append)
    assert said == []


def test_many_types_are_listed_in_part(make):
    said = []
    pieces(make({f"a.{i}": b"" for i in range(9)}), lambda name: False, say=said.append)
    assert said[0].endswith(".0 (1), .1 (1), .2 (1), .3 (1), .4 (1), .5 (1) and 3 other types")


@pytest.mark.parametrize("kind", ARCHIVES)
def test_names_with_a_dot_or_doubled_slashes_are_put_straight(tmp_path, kind):
    MAKERS[kind](tmp_path / "x", {"./b//2.jpg": b"two", "./a.jpg": b"one"})
    found = pieces(tmp_path / "x", everything)
    assert {piece.name: piece.read() for piece in found} == {"a.jpg": b"one", "b/2.jpg": b"two"}


@pytest.mark.parametrize("wanted", [everything, nothing])
@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize(
    "name", ["../x.jpg", "b/../../x.jpg", "/out/x.jpg", "C:/x.jpg", "b\\x.jpg", "..", "./D:x.jpg"]
)
def test_unsafe_paths_are_refused(tmp_path, refused, kind, name, wanted):
    MAKERS[kind](tmp_path / "x", {"a.jpg": b"one", name: b"out"})
    refused(tmp_path / "x", r"is at an unsafe path.*unpack it yourself and give the folder", wanted)


def test_name_with_a_zero_byte_is_refused(tmp_path, refused):
    make_zip(tmp_path / "x", {"a.jpg_.txt": b"one"})
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(content.replace(b"a.jpg_.txt", b"a.jpg\0.txt"))
    refused(tmp_path / "x", "unsafe path")


@pytest.mark.parametrize("wanted", [everything, nothing])
@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"V"],
)
def test_tar_members_that_are_no_files_are_refused(tmp_path, refused, kind, wanted):
    with tarfile.open(tmp_path / "x", "w") as tar:
        info = tarfile.TarInfo("link.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    refused(tmp_path / "x", r"'link\.jpg' in it is a link, a device", wanted)


def test_sparse_tar_members_are_refused(tmp_path, refused):
    headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "100", "GNU.sparse.numblocks": "1"}
    with tarfile.open(tmp_path / "x", "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("thin.jpg")
        info.size, info.pax_headers = 1, headers
        tar.addfile(info, io.BytesIO(b"x"))
    refused(tmp_path / "x", r"'thin\.jpg' in it is .*sparse")


@pytest.mark.parametrize("wanted", [everything, nothing])
@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_zip_members_that_are_no_files_are_refused(tmp_path, refused, mode, wanted):
    make_zip(tmp_path / "x", {"link.jpg": b"/etc/passwd"})
    patched(tmp_path / "x", CENTRAL, 38, "<I", (mode | 0o777) << 16)
    refused(tmp_path / "x", r"'link\.jpg' in it is a link", wanted)


def test_encrypted_zip_is_refused(tmp_path, refused):
    make_zip(tmp_path / "x", FILES)
    patched(tmp_path / "x", CENTRAL, 8, "<H", 1)
    refused(tmp_path / "x", r"'b/c/d\.jpg' in it is encrypted", nothing)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(tmp_path, refused, method):
    make_zip(tmp_path / "x", FILES, method)
    refused(tmp_path / "x", "compressed with a method other than deflate")


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_name_that_is_there_twice_is_refused_if_it_is_wanted(tmp_path, refused, kind):
    MAKERS[kind](tmp_path / "x", {"b/a.jpg": b"one", "b/./a.jpg": b"two"})
    refused(tmp_path / "x", "is present twice")
    assert pieces(tmp_path / "x", nothing) == []


def test_files_that_are_too_large_are_refused_if_they_are_wanted(make, refused, monkeypatch):
    source = make(FILES)
    monkeypatch.setattr(archive, "FILE_BYTES", 2999)
    refused(source, r"'b/c/d\.jpg' in it is larger than")
    assert len(pieces(source, lambda name: name != "b/c/d.jpg")) == 3


def test_zip_member_that_claims_too_much_is_refused(tmp_path, refused):
    make_zip(tmp_path / "x", {"a.jpg": b"small"})
    patched(tmp_path / "x", CENTRAL, 24, "<I", 2**31)
    refused(tmp_path / "x", r"'a\.jpg' in it is larger than 64 MiB")


@pytest.mark.parametrize("field", [20, 42], ids=["size", "offset"])
def test_zip_member_outside_the_file_is_refused(tmp_path, refused, field):
    make_zip(tmp_path / "x", {"a.jpg": b"small"})
    patched(tmp_path / "x", CENTRAL, field, "<I", 10_000)
    refused(tmp_path / "x", r"'a\.jpg' is outside", nothing)


def forged(name, size):
    """Return a tar's header with any size at all, negative ones too."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = struct.pack(">Bxxxq", 0xFF if size < 0 else 0x80, size)
    if size < 0:
        header[125:128] = b"\xff" * 3
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("size", [10_000, 2**60, -512, -1024])
def test_tar_member_outside_the_file_is_refused(tmp_path, refused, size):
    """A negative size leads back to its own header, for ever."""
    (tmp_path / "x").write_bytes(forged("a.jpg", size) + bytes(1024))
    refused(tmp_path / "x", r"'a\.jpg' is outside", nothing)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_tar_cut_anywhere_before_its_end_mark_is_refused(tmp_path, form):
    name = "b.jpg" if form == tarfile.USTAR_FORMAT else 70 * "long" + ".jpg"
    files = {"a.jpg": b"one", name: b"x" * 700}
    make_tar(tmp_path / "whole", files, format=form)
    content = (tmp_path / "whole").read_bytes()
    end = len(content.rstrip(b"\0")) // 512 * 512 + 1024  # with a block of zeros
    for cut in [*range(0, end, 128), *range(1, end, 511), end - 1]:
        (tmp_path / "cut").write_bytes(content[:cut])
        with pytest.raises(DisentangleError, match="use a folder, or an intact tar or zip"):
            pieces(tmp_path / "cut", everything)
    (tmp_path / "cut").write_bytes(content[:end])
    assert len(pieces(tmp_path / "cut", everything)) == 2


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_tar_header_that_would_fill_memory_is_refused(tmp_path, refused, kind):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 2**31
    with (tmp_path / "x").open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(2**31 + 2048)  # a hole, which takes no room
    tracemalloc.start()
    refused(tmp_path / "x", "its headers are too large")
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()


def test_tar_headers_of_all_files_are_not_piled_up(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(archive, "SHARED", 3)
    with tarfile.open(tmp_path / "x", "w", pax_headers={f"k{i}": "v" for i in range(4)}) as tar:
        tar.addfile(tarfile.TarInfo("a.jpg"))
    refused(tmp_path / "x", "too many entries")


def test_zip_whose_list_would_fill_memory_is_refused(tmp_path, refused, monkeypatch):
    make_zip(tmp_path / "x", FILES)
    monkeypatch.setattr(archive._Headers, "left", 200)
    refused(tmp_path / "x", "its headers are too large")


def test_source_is_called_as_the_user_knows_it(tmp_path):
    make_tar(tmp_path / "x", {"a.jpg": b"one"})
    (piece,) = pieces(tmp_path / "x", everything, tmp_path / "x.tar.gz")
    (tmp_path / "x").unlink()
    with pytest.raises(DisentangleError, match=r"'a\.jpg' in .*x\.tar\.gz: No such file or"):
        piece.read()
    with pytest.raises(DisentangleError, match=r"cannot read .*x\.tar\.gz: it is neither"):
        pieces(tmp_path / "x", everything, tmp_path / "x.tar.gz")


def test_zip_cut_anywhere_is_refused(tmp_path):
    make_zip(tmp_path / "whole", FILES)
    content = (tmp_path / "whole").read_bytes()
    for cut in range(0, len(content), 7):
        (tmp_path / "cut").write_bytes(content[:cut])
        with pytest.raises(DisentangleError, match="use a folder, or an intact tar or zip"):
            pieces(tmp_path / "cut", everything)


def test_tar_with_a_damaged_header_is_refused(tmp_path, refused):
    """After it, tarfile finds nothing more and says nothing."""
    make_tar(tmp_path / "x", {"a.jpg": b"one", "b.jpg": b"two"})
    content = bytearray((tmp_path / "x").read_bytes())
    content[1024 + 3] ^= 1
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "x", "truncated or damaged")


def test_tars_one_after_the_other_are_refused(tmp_path, refused):
    make_tar(tmp_path / "x", FILES)
    (tmp_path / "x").write_bytes(2 * (tmp_path / "x").read_bytes())
    refused(tmp_path / "x", "no end marker after its last member")


def test_tar_whose_last_file_is_a_zip_is_a_tar(tmp_path):
    make_zip(tmp_path / "zip", FILES)
    make_tar(tmp_path / "x", {"a.zip": (tmp_path / "zip").read_bytes()})
    assert [piece.name for piece in pieces(tmp_path / "x", everything)] == ["a.zip"]


@pytest.mark.parametrize(
    "content", [b"", b"words " * 1000, gzip.compress(bytes(9999), mtime=0), b"PK\3\4"]
)
def test_what_is_no_archive_is_refused(tmp_path, refused, content):
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "x", "cannot read .*use a folder, or an intact tar or zip")
    (tmp_path / "x").write_bytes(b"PAR1" + bytes(2000))
    refused(tmp_path / "x", "it is a Parquet file; write `hf:.*x` to read its images")


def test_what_is_not_there_is_refused(tmp_path, refused):
    refused(tmp_path / "absent", "neither a folder nor a regular file")


def test_pipe_is_refused_and_not_opened(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "neither a folder nor a regular file")


def test_error_of_the_caller_is_not_taken_for_damage(make):
    with pytest.raises(ZeroDivisionError):
        pieces(make(FILES), lambda name: 1 / 0)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_any_damage_gives_one_kind_of_error(tmp_path, kind):
    MAKERS[kind](tmp_path / "x", FILES)
    whole = (tmp_path / "x").read_bytes()
    rng = random.Random(0)
    damaged = 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            content[rng.randrange(len(content.rstrip(b"\0")))] = rng.randrange(256)
        (tmp_path / "x").write_bytes(content)
        try:
            for piece in pieces(tmp_path / "x", everything):
                piece.read()
        except DisentangleError:
            damaged += 1
    assert 30 < damaged


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_member_with_another_checksum_is_damaged(tmp_path, method):
    make_zip(tmp_path / "x", {"a.jpg": b"one"}, method)
    patched(tmp_path / "x", CENTRAL, 16, "<I", 1)
    (piece,) = pieces(tmp_path / "x", everything)
    with pytest.raises(DisentangleError, match=r"'a\.jpg' in .*x: its checksum is wrong; get it"):
        piece.read()


def test_bomb_that_understates_its_length_is_inflated_no_further(tmp_path, monkeypatch):
    make_zip(tmp_path / "x", {"a.jpg": bytes(2**24)})
    patched(tmp_path / "x", CENTRAL, 24, "<I", 100)
    (piece,) = pieces(tmp_path / "x", everything)
    inflated = []

    class Inflate:
        def __init__(self, bits):
            self.object = zlib.decompressobj(bits)

        def decompress(self, *arguments):
            inflated.append(self.object.decompress(*arguments))
            return inflated[-1]

    fake = SimpleNamespace(**{**vars(zlib), "decompressobj": lambda bits: Inflate(bits)})
    monkeypatch.setattr(archive, "zlib", fake)
    with pytest.raises(DisentangleError, match="expected 100 bytes, got"):
        piece.read()
    assert [len(content) for content in inflated] == [101]


def test_empty_promise_is_no_licence_to_inflate(tmp_path):
    make_zip(tmp_path / "x", {"a.jpg": bytes(2**20)})
    patched(tmp_path / "x", CENTRAL, 24, "<I", 0)
    (piece,) = pieces(tmp_path / "x", everything)
    with pytest.raises(DisentangleError, match="expected 0 bytes"):
        piece.read()


def test_file_that_is_cut_or_removed_after_the_listing_is_an_error(make):
    source = make(FILES)
    piece = pieces(source, everything)[-1]
    with piece.path.open("rb+") as file:
        file.truncate(1)
    with pytest.raises(DisentangleError, match=r"cannot read 'b/c/d\.jpg' in .*get it again"):
        piece.read()
    piece.path.unlink()
    with pytest.raises(DisentangleError, match="No such file"):
        piece.read()


def test_piece_reads_only_its_own_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"0123456789")
    assert Piece("a", tmp_path / "x", 2, 3, "plain", 3, None).read() == b"234"


PACKERS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


@pytest.fixture(params=list(PACKERS))
def packed(request, tmp_path):
    """A compressed tar, whose name does not say so, and the tar itself."""
    make_tar(tmp_path / "tar", FILES)
    content = (tmp_path / "tar").read_bytes()
    (tmp_path / "tar").unlink()
    (tmp_path / "packed").write_bytes(PACKERS[request.param](content))
    (tmp_path / "room").mkdir()
    return tmp_path / "packed", tmp_path / "room"


def test_compressed_tar_is_unpacked_and_deleted_afterwards(packed):
    path, room = packed
    with uncompressed(path, room) as plain:
        assert [plain] == list(room.iterdir())
        assert {p.name: p.read() for p in pieces(plain, everything)} == FILES
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_unpacked_file_is_deleted_after_a_failure(packed, error):
    path, room = packed
    with pytest.raises(error), uncompressed(path, room):
        raise error
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_not_compressed_is_left_as_it_is(tmp_path, kind):
    MAKERS[kind](tmp_path / "x", {"BZh9.jpg": b"the name begins a tar", **FILES})
    with uncompressed(tmp_path / "x", tmp_path / "absent") as plain:
        assert plain == tmp_path / "x"


def test_damaged_compression_is_refused(packed):
    path, room = packed
    content = path.read_bytes()
    for damaged in (content[:-9], content[:60] + bytes([content[60] ^ 255]) + content[61:]):
        path.write_bytes(damaged)
        with (
            pytest.raises(DisentangleError, match=r"cannot unpack .*packed in .*get it again"),
            uncompressed(path, room),
        ):
            pytest.fail("it was taken for whole")
        assert list(room.iterdir()) == []


@pytest.mark.parametrize("bound", ["limit", "disk"])
def test_bomb_is_unpacked_no_further_than_allowed(tmp_path, monkeypatch, bound):
    (tmp_path / "bomb").write_bytes(gzip.compress(bytes(2**24)))
    (tmp_path / "room").mkdir()
    limit = 2**20
    if bound == "disk":
        free = SimpleNamespace(free=2**30 + 2**20)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
        limit = 2**30
    written = []
    unlink = Path.unlink

    def measured(path, missing_ok=False):
        written.append(path.stat().st_size)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", measured)
    with (
        pytest.raises(DisentangleError, match="unpacks to more than 1048576 bytes"),
        uncompressed(tmp_path / "bomb", tmp_path / "room", limit),
    ):
        pytest.fail("it was unpacked")
    assert written == [2**20]
    assert list((tmp_path / "room").iterdir()) == []


def test_folder_that_cannot_be_written_is_an_error(packed):
    path, room = packed
    with (
        pytest.raises(DisentangleError, match=r"cannot unpack .*No such file"),
        uncompressed(path, room / "absent"),
    ):
        pytest.fail("it was unpacked")
