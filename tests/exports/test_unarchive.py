"""Archives from strangers: each that is damaged or hostile is refused, and nothing is written."""

import hashlib
import json
import random
import stat
import struct
import zipfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

import disentangle
from disentangle.errors import DisentangleError
from disentangle.exports import archive_format, unarchive
from disentangle.exports.archive_format import MANIFEST, by_place
from disentangle.exports.import_runs import import_archive


@pytest.fixture
def archive(run, tmp_path):
    """An archive of the run."""
    disentangle.export(run, tmp_path / "good.zip")
    return tmp_path / "good.zip"


@pytest.fixture
def hostile(archive, run):
    """A function that writes an archive with other files and another manifest than the good one."""

    def write(files=None, without=(), manifest=None, compress=zipfile.ZIP_DEFLATED, mode=None):
        with zipfile.ZipFile(archive) as good:
            content = {name: good.read(name) for name in good.namelist() if name not in without}
        record = json.loads(content.pop(MANIFEST, "{}"))
        for name, text in (files or {}).items():
            name = name.replace("RUN", f"default/tiny/beta-vae/{run.record.id}")
            content[name] = text
            digest = hashlib.sha256(text).hexdigest()
            record["files"][name] = {"size": len(text), "sha256": digest}
        path = archive.with_name("hostile.zip")
        with zipfile.ZipFile(path, "w", compress) as bad:
            for name, text in content.items():
                info = zipfile.ZipInfo(name)
                info.compress_type = compress
                if mode is not None and name in (files or {}):
                    info.external_attr = mode << 16
                bad.writestr(info, text)
            if MANIFEST not in without:
                bad.writestr(MANIFEST, json.dumps(record | (manifest or {})))
        return path

    return write


def refused(path, message, code=1):
    """Check that an archive is refused with one line, and that nothing is left of it."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(DisentangleError, match=message) as refusal:
        import_archive(path, results=path.parent / "there")
    assert refusal.value.exit_code == code
    assert "\n" not in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../outside/run.json", r"'../outside/run.json' is an unsafe path"),
        ("default/tiny/vae/../../../../x.json", "is an unsafe path"),
        ("/etc/cron.d/study.toml", "is an unsafe path"),
        ("a//study.toml", "is an unsafe path"),
        ("./study.toml", "is an unsafe path"),
        ("default/tiny/vae/..", "is an unsafe path"),
        (".import/study.toml", "is in a hidden folder"),
        (".git/study.toml", "is in a hidden folder"),
        ("a\n\x1b[31m/study.toml", r"'a\\n\\x1b\[31m/study.toml' has a character"),
        ("study.toml", "'study.toml' is no file of a run"),
        ("RUN/run.py", "run.py' is no file of a run"),
        ("RUN/checkpoint.pt", "checkpoint.pt' is no file of a run"),
        ("RUN/figures/a.html", "is no file of a run"),
        ("RUN/figures/deep/a.png", "is no file of a run"),
        ("RUN/trackers/x.json", "is no file of a run"),
        ("RUN/.lock", "is no file of a run"),
        ("RUN/history/step-1.safetensors", "is no file of a run"),
        ("RUN/", "is an unsafe path"),
        ("baselines/a/b.py", "is no file of a run"),
        ("default/tiny/external/x/run.json", "expected the folder of|invalid record"),
    ],
)
def test_names_that_no_file_of_a_run_has_are_refused(hostile, name, message):
    refused(hostile({name: b""}), message)


def test_backslashes_and_drives_are_refused_on_windows(monkeypatch):
    by_place(["a\\b/study.toml", "c:d/study.toml"])
    monkeypatch.setattr(archive_format.os, "name", "nt")
    for name in ("a\\b/study.toml", "c:d/study.toml"):
        with pytest.raises(ValueError, match="a character that names of files must not have"):
            by_place([name])


@hypothesis.given(st.text(alphabet="./ab\\:~\0", max_size=12))
def test_no_safe_name_leads_outside(name):
    for text in (name, f"{name}/study.toml", f"a/b/c/d/{name}"):
        try:
            by_place([text])
        except ValueError:
            continue
        path = Path("/results", text)
        assert path.resolve().is_relative_to("/results")
        assert path.resolve() != Path("/results")


def test_a_link_is_refused(hostile):
    refused(hostile({"a/study.toml": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777), "is a link or a")
    refused(hostile({"a/study.toml": b""}, mode=stat.S_IFIFO | 0o777), "is a link or a device")


def test_two_files_of_one_name_are_refused(hostile):
    path = hostile({"a/study.toml": b""})
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/study.toml", "")
    refused(path, "two of its files have the same name")


def test_a_file_beside_the_manifest_is_refused(hostile):
    path = hostile()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/study.toml", "")
    refused(path, "'a/study.toml' is not in its manifest")


def test_a_file_that_is_missing_is_refused(hostile, run):
    path = hostile(without=[f"default/tiny/beta-vae/{run.record.id}/log.jsonl"])
    refused(path, "log.jsonl' is missing")


def test_content_with_another_digest_is_refused(hostile, run):
    name = f"default/tiny/beta-vae/{run.record.id}/run.json"
    size = (run.path / "run.json").stat().st_size
    files = {name: {"size": size, "sha256": "0" * 64}}
    path = hostile()
    with zipfile.ZipFile(path) as archive:
        files = json.loads(archive.read(MANIFEST))["files"] | files
    refused(hostile(manifest={"files": files}), "run.json' is damaged: its SHA-256 is not that of")


def test_a_size_other_than_the_manifests_is_refused(hostile, run):
    name = f"default/tiny/beta-vae/{run.record.id}/run.json"
    with zipfile.ZipFile(hostile()) as archive:
        files = json.loads(archive.read(MANIFEST))["files"]
    files[name]["size"] += 1
    refused(hostile(manifest={"files": files}), r"run.json': expected [\d,]+ bytes, got [\d,]+")


def test_a_record_that_is_too_large_is_refused_before_it_is_unpacked(hostile):
    refused(hostile({"a/study.toml": b" " * (2**20 + 1)}), "study.toml' is larger than 1,048,576")


def test_a_bomb_that_says_a_smaller_size_is_refused(hostile):
    bomb = {"a/study.toml": b"7" * 400_000}
    with zipfile.ZipFile(hostile(bomb)) as archive:
        files = json.loads(archive.read(MANIFEST))["files"]
    files["a/study.toml"]["size"] = 4
    path = hostile(bomb, manifest={"files": files})
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("a/study.toml").header_offset
    content = bytearray(path.read_bytes())
    listed = content.rindex(b"PK\x01\x02", 0, content.rindex(b"a/study.toml"))
    for size in (start + 22, listed + 24):
        struct.pack_into("<L", content, size, 4)
    path.write_bytes(content)
    refused(path, "damaged, so that nothing is imported")


def test_an_archive_larger_than_the_disk_is_refused(archive, monkeypatch):
    monkeypatch.setattr(unarchive.shutil, "disk_usage", lambda _: type("", (), {"free": 2**30 + 9}))
    refused(archive, r"it unpacks to [\d,]+ bytes, and 9 are free")


def test_too_many_files_are_refused(archive, monkeypatch):
    monkeypatch.setattr(unarchive, "FILES", 2)
    refused(archive, "expected at most 2 files, got 3")


def test_too_long_a_list_of_files_is_refused(archive, monkeypatch):
    monkeypatch.setattr(unarchive, "LISTING", 30)
    refused(archive, "expected an archive that `disentangle export` wrote", code=2)


def test_another_format_is_refused_with_the_remedy(hostile):
    path = hostile(manifest={"format": 2, "version": "9.1", "more": 1})
    refused(path, "expected format 1, got 2, of disentangle '9.1'; run `pip install -U")


@pytest.mark.parametrize(
    "manifest", [{"format": "1"}, {"files": []}, {"files": {"a/study.toml": {}}}, {"more": 1}]
)
def test_an_invalid_manifest_is_refused(hostile, manifest):
    refused(hostile(manifest=manifest), "manifest.json is not valid: ")


@pytest.mark.parametrize("text", ["[" * 100_000, "", "{", '{"format": 1e999}'])
def test_a_manifest_that_is_no_json_is_refused(archive, text):
    path = archive.with_name("bad.zip")
    with zipfile.ZipFile(path, "w") as bad:
        bad.writestr(MANIFEST, text)
    refused(path, "nothing is imported: ")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_of_compression_are_refused(hostile, method):
    refused(hostile(compress=method), "is compressed with another method than deflate")


def test_an_encrypted_file_is_refused(archive):
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refused(archive, "is encrypted")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("RUN/run.json", b"{}", "run.json: invalid record: "),
        ("RUN/run.json", b"[" * 100_000, "nothing is imported: "),
        ("RUN/scores.json", b'{"scores": 1}', "scores.json: invalid record: "),
        ("RUN/label.json", b'{"name": "../x"}', "label.json: '../x' is no name of a run"),
        ("RUN/trackers/a-01234567.json", b"{}", "a-01234567.json: invalid record: track"),
        ("a/study.toml", b"\xff", "'utf-8' codec"),
        ("baselines/a/oracle.json", b"1", "oracle.json: invalid record: "),
    ],
)
def test_invalid_records_are_refused_by_their_place(hostile, name, text, message):
    refused(hostile({name: text}), message)


def test_a_run_in_the_place_of_another_is_refused(hostile, run):
    record = run.record.model_dump_json().encode()
    message = f"expected the folder of tiny/beta-vae/{run.record.id}"
    refused(hostile({"default/tiny/beta-vae/0123456789/run.json": record}), message)
    refused(hostile({f"default/tiny/vae/{run.record.id}/run.json": record}), message)


@pytest.mark.parametrize("cut", [1, 30, 1000])
def test_a_file_that_was_cut_off_is_refused(archive, cut):
    archive.write_bytes(archive.read_bytes()[:-cut])
    refused(archive, "expected an archive that `disentangle export` wrote", code=2)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"no zip"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    refused(tmp_path / "x.zip", "expected an archive that `disentangle export` wrote", code=2)


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    refused(tmp_path / "x.zip", "For weights trained elsewhere give `--model NAME", code=2)


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "x.zip").mkdir()
    refused(tmp_path / "x.zip", "expected an archive that `disentangle export` wrote", code=2)


def test_flipped_bytes_never_get_through(archive, run):
    """What is damaged anywhere is refused, or damaged where nothing is read from."""
    content = archive.read_bytes()
    rng = random.Random(0)
    expected = {p.name: p.read_bytes() for p in run.path.rglob("[!.]*") if p.is_file()}
    for attempt in range(60):
        bad = bytearray(content)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        path = archive.with_name("flipped.zip")
        path.write_bytes(bad)
        there = archive.with_name(f"there-{attempt}")
        try:
            (folder,) = import_archive(path, results=there).folders
        except DisentangleError:
            assert not there.exists()
        else:
            actual = {p.name: p.read_bytes() for p in folder.rglob("[!.]*") if p.is_file()}
            assert actual == expected
