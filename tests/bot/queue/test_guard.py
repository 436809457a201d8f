"""One live process per database."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.queue.guard import AlreadyRunning, CannotLock, only_process
from tests.bot.queue.parts import NOW, SetClock

HOLD = """
import sys
from pathlib import Path
from bot.clock import SystemClock
from bot.queue.guard import AlreadyRunning, only_process
try:
    with only_process(Path(sys.argv[1]), SystemClock()):
        print("holds", flush=True)
        sys.stdin.read()
except AlreadyRunning as refusal:
    print(refusal, flush=True)
    sys.exit(2)
"""


def process(database: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@contextmanager
def holder(database: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another live process that holds the database."""
    other = process(database)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "holds\n"
        yield other
    finally:
        other.kill()
        other.communicate()


def test_fault_26_a_second_process_refuses_and_names_the_first(tmp_path: Path) -> None:
    database = tmp_path / "muster.db"
    with holder(database) as first:
        second = process(database)
        said, _ = second.communicate(timeout=20)
        assert second.returncode == 2
        assert f"process {first.pid}, started 20" in said
        assert f"stop it first (kill {first.pid})" in said
        with pytest.raises(AlreadyRunning) as refusal, only_process(database, SetClock()):
            pass
        assert refusal.value.pid == first.pid


def test_fault_26_the_refused_process_takes_nothing_from_the_first(tmp_path: Path) -> None:
    database = tmp_path / "muster.db"
    with holder(database) as first:
        for _ in range(3):
            with pytest.raises(AlreadyRunning) as refusal, only_process(database, SetClock()):
                pass
            assert refusal.value.pid == first.pid


def test_fault_26_a_lock_left_by_kill_9_is_no_obstacle(tmp_path: Path) -> None:
    database = tmp_path / "muster.db"
    with holder(database) as first:
        first.kill()
        first.wait()
        assert (tmp_path / "muster.db.lock").exists()
        with only_process(database, SetClock()):
            pass


def test_a_finished_process_leaves_the_way_free(tmp_path: Path) -> None:
    database = tmp_path / "muster.db"
    with only_process(database, SetClock()):
        pass
    with holder(database):
        pass


def test_two_databases_in_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    with holder(tmp_path / "one.db"), only_process(tmp_path / "two.db", SetClock()):
        pass


def test_the_lock_says_who_holds_it_and_since_when(tmp_path: Path) -> None:
    with only_process(tmp_path / "muster.db", SetClock()):
        written = (tmp_path / "muster.db.lock").read_text()
    assert written == f'{{"pid": {os.getpid()}, "started_at": "{NOW.isoformat()}"}}'


def test_a_lock_file_full_of_nonsense_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "muster.db.lock").write_bytes(b"\xff\x00nonsense" * 50)
    with holder(tmp_path / "muster.db") as first:
        with pytest.raises(AlreadyRunning) as refusal, only_process(tmp_path / "muster.db", SetClock()):
            pass
        assert refusal.value.pid == first.pid


def test_a_held_lock_refuses_whatever_is_written_in_it(tmp_path: Path) -> None:
    database, lock = tmp_path / "muster.db", tmp_path / "muster.db.lock"
    with holder(database):
        lock.write_bytes(b"[]")
        with (
            pytest.raises(AlreadyRunning, match=r"\(another process, lock "),
            only_process(database, SetClock()),
        ):
            pass


@contextmanager
def nobody() -> Iterator[None]:
    """Without root's right to write everywhere."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was == 0:
            os.seteuid(was)


def test_fault_24_a_read_only_folder_is_refused_with_its_cure() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        with (
            nobody(),
            pytest.raises(CannotLock, match="make its folder writable") as refusal,
            only_process(folder / "muster.db", SetClock()),
        ):
            pass
        assert str(folder / "muster.db.lock") in str(refusal.value)
        folder.chmod(0o755)


def test_a_folder_that_is_not_there_is_refused_with_its_cure(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "muster.db"
    with pytest.raises(CannotLock, match="No such file or directory"), only_process(nowhere, SetClock()):
        pass
