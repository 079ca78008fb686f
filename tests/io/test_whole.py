"""Files and folders are whole or not there, for those who read while they are written and after a failure."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from gattn_tg.io import whole

NAMES = ("config.json", "model.safetensors")


def fill(folder: Path, version: int) -> None:
    for name in NAMES:
        (folder / name).write_text(f"{name} of {version}")


@pytest.fixture(params=["exchanged", "renamed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As here, and as where the system cannot exchange two folders in one step."""
    if request.param == "renamed":
        monkeypatch.setattr(whole, "_exchanged", lambda one, other: False)
    return str(request.param)


def test_readers_see_one_version_while_it_is_replaced(tmp_path: Path, way: str) -> None:
    best, stop, faults, n_read = tmp_path / "best", threading.Event(), list[str](), 0
    whole.write_folder(best, lambda part: fill(part, 0))

    def read() -> None:
        nonlocal n_read
        while not stop.is_set():
            try:
                with whole.opened(best, NAMES) as files:
                    seen = {file.read().split(b" of ")[1] for file in files.values()}
                n_read += 1
                if len(seen) > 1:
                    faults.append(f"two minds: {seen}")
            except Exception as error:
                faults.append(repr(error))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(1, 60):
        whole.write_folder(best, lambda part, version=version: fill(part, version))  # type: ignore[misc]
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults, (way, len(faults), n_read, faults[:3])
    assert n_read > 10
    assert [p.name for p in tmp_path.iterdir()] == ["best"]


def test_other_programs_never_miss_a_folder_that_is_exchanged(tmp_path: Path) -> None:
    """A reader that knows nothing of us: the name is there at every moment."""
    best, stop, missing = tmp_path / "best", threading.Event(), list[str]()
    whole.write_folder(best, lambda part: fill(part, 0))
    (tmp_path / "other").mkdir()
    if not whole._exchanged(best, tmp_path / "other"):
        pytest.skip("this file system cannot exchange two folders in one step")
    whole._exchanged(best, tmp_path / "other")

    def look() -> None:
        while not stop.is_set():
            if not best.exists():
                missing.append("gone")

    reader = threading.Thread(target=look)
    reader.start()
    for version in range(30):
        whole.write_folder(best, lambda part, version=version: fill(part, version))  # type: ignore[misc]
    stop.set()
    reader.join()
    assert not missing


def test_a_writer_that_was_killed_between_two_renames_is_put_right(tmp_path: Path) -> None:
    """Readers take the one before; `tidy` brings it back."""
    best = tmp_path / "best"
    whole.write_folder(best, lambda part: fill(part, 1))
    best.rename(tmp_path / "best.old")
    (tmp_path / "best.part").mkdir()
    with whole.opened(best, NAMES) as files:
        assert [file.read() for file in files.values()] == [f"{name} of 1".encode() for name in NAMES]
    whole.tidy(best)
    assert [p.name for p in tmp_path.iterdir()] == ["best"]
    assert (best / NAMES[0]).read_text() == f"{NAMES[0]} of 1"


@pytest.mark.parametrize("what", ["fill", "sync", "rename"])
def test_a_failure_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, way: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, file = tmp_path / "best", tmp_path / "a.txt"
    whole.write_folder(best, lambda part: fill(part, 1))
    whole.write_text(file, "one")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if what == "sync":
        monkeypatch.setattr(os, "fsync", full)
    elif what == "rename":
        monkeypatch.setattr(os, "replace", full)
        monkeypatch.setattr(os, "rename", full)
        monkeypatch.setattr(whole, "_exchanged", full if way == "exchanged" else lambda one, other: False)
    with pytest.raises(OSError, match="No space left"):
        whole.write_folder(best, full if what == "fill" else lambda part: fill(part, 2))
    if what != "fill":
        with pytest.raises(OSError, match="No space left"):
            whole.write_text(file, "two")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "best"]
    assert file.read_text() == "one"
    assert {(best / name).read_text() for name in NAMES} == {f"{name} of 1" for name in NAMES}


def test_what_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole.opened(tmp_path / "none", NAMES):
        pass
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / NAMES[0]).write_text("x")
    with pytest.raises(FileNotFoundError, match=NAMES[1]), whole.opened(tmp_path / "some", NAMES):
        pass


def test_folders_whose_names_cannot_be_flushed_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letter boxes cannot be opened for reading; some network file systems refuse to flush a folder."""
    refuse, flush = os.open, os.fsync

    def no_reading(path: object, flags: int, *more: int) -> int:
        if flags == os.O_RDONLY and Path(str(path)).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return refuse(path, flags, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", no_reading)
    whole.write_text(tmp_path / "a.txt", "one")
    monkeypatch.setattr(os, "open", refuse)

    def no_flushing(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        flush(handle)

    monkeypatch.setattr(os, "fsync", no_flushing)
    whole.write_text(tmp_path / "b.txt", "two")
    assert (tmp_path / "a.txt").read_text() + (tmp_path / "b.txt").read_text() == "onetwo"
