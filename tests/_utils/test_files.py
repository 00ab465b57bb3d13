"""Files are whole or not there."""

import errno
import json
import os
from pathlib import Path

import pytest

from disentangle._utils.files import atomic, drop_oldest, write_json, write_text


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic(path) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == tmp_path
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail_halfway() -> None:
        with atomic(path) as temporary:
            temporary.write_bytes(b"half")
            raise failure

    with pytest.raises(failure):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_kept_as_it_is(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "β\r\n\n")
    assert (tmp_path / "text").read_bytes() == "β\r\n\n".encode()


def test_json_round_trip(tmp_path: Path) -> None:
    value = {"β": [1, 0.1, None, "é"]}
    write_json(tmp_path / "json", value)
    assert json.loads((tmp_path / "json").read_text("utf-8")) == value


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_what_json_cannot_say_changes_nothing(tmp_path: Path, value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "json", value)
    assert not list(tmp_path.iterdir())


def test_no_folder_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_text(tmp_path / "file" / "below", "text")


def test_oldest_files_of_a_cache_go_by_number_or_by_size_but_for_the_one_kept(tmp_path):
    def there() -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir())

    for age, name in enumerate(("d.npz", "c.npz", "b.npz", "a.npz", "other.txt")):
        (tmp_path / name).write_bytes(b"0" * 10)
        os.utime(tmp_path / name, (0, 1000 - age))
    drop_oldest(tmp_path / "d.npz", "*.npz", number=3)
    assert there() == ["b.npz", "c.npz", "d.npz", "other.txt"]
    drop_oldest(tmp_path / "b.npz", "*.npz", size=15)
    assert there() == ["b.npz", "d.npz", "other.txt"]


def test_failed_write_names_the_file_even_if_the_system_does_not(tmp_path):
    def write(path):
        with atomic(path):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        write(tmp_path / "a.png")
    assert caught.value.filename == str(tmp_path / "a.png")


def test_names_that_are_not_utf8_are_escaped_in_text_and_come_back_from_json(tmp_path):
    name = os.fsdecode(b"ph\xe9")
    write_json(tmp_path / "a.json", {"name": name})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": name}
    write_text(tmp_path / "a.md", f"β {name}")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == r"β ph\udce9"
