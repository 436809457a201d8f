"""The auditor: each invariant broken alone is found and named, told once, and the heartbeat stops at once."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.auditor import Auditor
from bot.disk_watch import BACKED_UP, DiskWatch
from bot.heads import read_heads
from bot.heartbeat import Heartbeat
from bot.log_watch import LogWatch
from desk import troubles
from desk.audits import last_audit
from desk.board_troubles import read_troubles
from desk.model import Job, Lane, Letter, LetterState, Setting
from incidents.model import Attachment, AttachmentState, Draft, Incident, LogLine, State
from roster.model import Account, Officer, Role, RollCall, Shift
from tests.bot.machine import NOW, Line, Machine, open_machine
from tests.fakes.heartbeat_server import watching

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
UNSIGNED = Incident(
    "i", "ZS-1", State.received, NOW - 5 * MINUTE, next_step_at=NOW + MINUTE, heard_by=("领导",)
)


@asynccontextmanager
async def office(folder: Path, *lines: Line) -> AsyncIterator[Machine]:
    """A small office in order: a leader, an officer, somebody of the office, both posts held for days."""
    async with open_machine(folder, *lines) as machine:
        names = [line.name for line in lines] or ["line"]
        await machine.people("领导", channels=names, role=Role.leader)
        await machine.people("值班", channels=names)
        await machine.people("办公", channels=names, role=Role.office)
        async with machine.door.open() as desk:
            for post, name in (("duty_leader", "领导"), ("duty_officer", "值班")):
                await desk.store.add(Shift(f"s/{post}", "u", post, name, NOW - DAY, NOW + 9 * DAY))
            desk.log("filled", "desk")
        yield machine


def watch_of(machine: Machine) -> LogWatch:
    return LogWatch(machine.door, machine.folder / "muster.db.heads")


def make(machine: Machine, url: str = "", *, backup_hours: float = 0, free_min: float = 0) -> Auditor:
    disk = DiskWatch(machine.door, machine.media, (machine.folder,), free_min, backup_hours)
    watches = {
        "chain": watch_of(machine).look,
        "attachments": disk.attachments,
        "room": disk.room,
        "backup": disk.backup,
    }
    return Auditor(machine.door, watches, Heartbeat(url), 1)


async def broken(auditor: Auditor) -> dict[str, str]:
    return {one.name: one.broken for one in await auditor.audit() if one.broken}


async def test_an_office_in_order_breaks_no_promise_and_the_board_is_quiet(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        assert await broken(make(machine)) == {}
        async with machine.door.read() as store:
            audit = await last_audit(store)
            assert (await read_troubles(store, NOW))[1] == 0
        assert audit is not None and audit.at == NOW and audit.broken == []
        assert len(audit.standings) == 12


async def add(machine: Machine, *records: object) -> None:
    async with machine.door.open() as desk:
        await desk.store.add(*records)


async def change(machine: Machine, kind: type[object], record_id: str, **changes: object) -> None:
    async with machine.door.open() as desk:
        await desk.store.change(await desk.store.get(kind, record_id), **changes)


def letter(**more: object) -> Letter:
    made = replace(Letter("l", "incident_page", {}, (), Lane.urgent, NOW - 2 * MINUTE, officer_id="值班"))
    return replace(made, **more)  # type: ignore[arg-type]  # Fields as the case names them.


Harm = Callable[[Machine], Awaitable[None]]
HARMS: dict[str, tuple[str, Harm]] = {
    "a step that nobody took": (
        "incidents",
        lambda m: add(m, replace(UNSIGNED, next_step_at=NOW - 2 * MINUTE)),
    ),
    "an incident with no next step": ("incidents", lambda m: add(m, replace(UNSIGNED, next_step_at=None))),
    "an incident that nobody was told": (
        "incidents",
        lambda m: add(m, replace(UNSIGNED, heard_by=())),
    ),
    "a holder who is not there any more": (
        "incidents",
        lambda m: add(
            m,
            Officer("走了", "走了", "u", active=False),
            replace(UNSIGNED, state=State.verifying, signed_by="走了", next_step_at=None),
        ),
    ),
    "a roll call past its end": (
        "due",
        lambda m: add(m, RollCall("r", "夜间", "x", NOW - DAY, NOW - DAY, NOW - 2 * MINUTE)),
    ),
    "a report still being told": (
        "due",
        lambda m: add(m, Draft("d", "值班", "line", "值班", NOW - DAY, NOW - 2 * MINUTE)),
    ),
    "urgent work that nobody took": (
        "due",
        lambda m: add(m, Job("j", "step", "i", NOW - 2 * MINUTE, lane=Lane.urgent)),
    ),
    "an urgent letter that does not leave": ("letters", lambda m: add(m, letter())),
    "an urgent letter that is long on its way": (
        "letters",
        lambda m: add(m, letter(state=LetterState.sending)),
    ),
    "a post nobody holds tomorrow": (
        "staffed",
        lambda m: change(m, Shift, "s/duty_leader", ends_at=NOW + timedelta(hours=20)),
    ),
    "a watch of somebody taken out": (
        "staffed",
        lambda m: change(m, Officer, "值班", active=False),
    ),
    "a channel that cannot be polled": (
        "channels",
        lambda m: add(m, Setting("trouble/line/unreachable", f"{NOW.isoformat()} x")),
    ),
    "a clock that went back": ("time", lambda m: _log_in_the_future(m)),
    "an attachment whose bytes are gone": (
        "attachments",
        lambda m: add(
            m,
            Attachment("a", "line", "f", "photo", NOW, digest="0" * 64, state=AttachmentState.stored),
        ),
    ),
    "a changed line of the log": ("chain", lambda m: _forge(m)),
}


async def _log_in_the_future(machine: Machine) -> None:
    machine.clock.at += 5 * MINUTE
    async with machine.door.open() as desk:
        desk.log("filled", "desk")
    machine.clock.at = NOW


async def _forge(machine: Machine) -> None:
    with closing(sqlite3.connect(machine.folder / "desk.db")) as raw:
        raw.execute("DROP TRIGGER IF EXISTS duty_log_no_update")
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("UPDATE duty_log SET actor = 'somebody' WHERE sequence = 1")
        raw.commit()


@pytest.mark.parametrize("harm", HARMS)
async def test_fault_32_each_broken_promise_is_found_alone_named_and_mended(
    tmp_path: Path, harm: str
) -> None:
    name, act = HARMS[harm]
    async with office(tmp_path) as machine:
        await act(machine)
        found = await broken(make(machine))
        assert list(found) == [name], found


async def test_fault_32_and_42_when_nobody_who_leads_can_be_reached_the_heartbeat_fails(
    tmp_path: Path,
) -> None:
    async with office(tmp_path) as machine:
        async with machine.door.open() as desk:
            for account in await desk.store.find(Account):
                await desk.store.change(account, reachable=False, fault="blocked")
        with watching() as watcher:
            auditor = make(machine, watcher.url)
            async with auditor.heartbeat:
                await auditor.audit()
        assert watcher.told == ["fail reach: 0"]


async def test_what_is_bulk_young_gathered_or_bearable_breaks_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        await add(
            machine,
            letter(lane=Lane.bulk),
            letter(id="young", made_at=NOW - MINUTE / 2),
            letter(id="gathers", facts={"gathers": True}, made_at=NOW - MINUTE * 1.5),
            letter(id="own", kind="audit"),
            letter(id="gone", state=LetterState.failed),
            Job("b", "send", "x", NOW - 2 * MINUTE, lane=Lane.bulk),
            Job("p", "step", "x", NOW - 2 * MINUTE, lane=Lane.urgent, parked=True),
            Setting("trouble/line/commands", f"{NOW.isoformat()} x"),
            replace(UNSIGNED, received_at=NOW - MINUTE / 2, heard_by=()),
        )
        assert await broken(make(machine)) == {}


async def test_it_is_told_once_on_every_channel_and_once_when_it_is_over(tmp_path: Path) -> None:
    async with office(tmp_path, Line("one"), Line("two")) as machine:
        auditor = make(machine)
        await add(machine, replace(UNSIGNED, next_step_at=None))
        await auditor.audit()
        assert await machine.find(Letter) == []  # What mends itself within a minute wakes nobody.
        for _ in range(3):
            machine.move(seconds=10)
            await auditor.audit()
        told = await machine.find(Letter, order=("id",))
        assert {(one.officer_id, one.channels) for one in told} == {("领导", ("one",)), ("领导", ("two",))}
        assert all(one.facts["what"] == "incidents" and one.facts["text"] == "ZS-1" for one in told)
        async with machine.door.read() as store:
            [trouble], count = await read_troubles(store, machine.clock.at)
        assert (trouble.kind, trouble.what, trouble.reason, count) == ("audit", "incidents", "ZS-1", 1)
        await change(machine, Incident, "i", next_step_at=machine.clock.at + MINUTE)
        for _ in range(3):
            await auditor.audit()
        told = await machine.find(Letter, order=("id",))
        assert [one.facts.get("over", False) for one in told] == [False, False, True, True]
        assert [len(await machine.log(kind)) for kind in ("invariant_broken", "invariant_holds")] == [1, 1]
        assert (
            await make(machine).audit() and len(await machine.find(Letter)) == 4
        )  # A restart tells nothing anew.


async def test_it_beats_only_when_all_holds_and_says_what_does_not(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        with watching() as watcher:
            auditor = make(machine, watcher.url)
            async with auditor.heartbeat:
                await auditor.audit()
                await add(machine, letter())
                await auditor.audit()
                await change(machine, Letter, "l", state=LetterState.sent)
                await auditor.audit()
        assert watcher.told == ["ok", "fail letters: incident_page", "ok"]


async def test_fault_41_an_address_that_fails_or_redirects_stops_nothing_and_is_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "bot.heartbeat")
    async with office(tmp_path) as machine:
        with watching() as watcher:
            auditor = make(machine, watcher.url)
            async with auditor.heartbeat:
                for watcher.status in (302, 500, 200):
                    assert await broken(auditor) == {}
        assert watcher.told == ["ok"] * 3
        auditor = make(machine, watcher.url)  # Nobody listens there any more.
        async with auditor.heartbeat:
            assert await broken(auditor) == {}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3 and "/ping/abc" not in "".join(said)


async def test_a_database_that_takes_no_write_is_told_outside(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        with (
            watching() as watcher,
            closing(sqlite3.connect(tmp_path / "desk.db", isolation_level=None)) as raw,
        ):
            auditor = make(machine, watcher.url)
            raw.execute("BEGIN IMMEDIATE")
            async with auditor.heartbeat:
                await auditor.audit()
            raw.execute("ROLLBACK")
        assert watcher.told[0].startswith("fail") and "database" in watcher.told[0]


async def test_the_log_is_verified_as_it_grows_and_wholly_every_night(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        machine.clock.at = NOW.replace(hour=4)  # Noon: no walk over the whole.
        watch = watch_of(machine)
        assert await watch.look() == ""
        [kept] = await machine.find(Setting, id="audit/log")
        newest = (await machine.find(LogLine, order=("-sequence",), limit=1))[0]
        assert kept.value == f"{newest.sequence} {newest.hash}"
        async with machine.door.open() as desk:
            desk.log("filled", "desk")
        await _forge(machine)  # An old line: the end does not show it.
        assert await watch.look() == ""
        machine.clock.at = NOW + timedelta(hours=0)  # Three in the morning.
        assert await watch.look() == "1 changed"
        assert await watch.look() == "1 changed"
        machine.move(hours=8)  # By day, after a restart: what was found at night is not forgotten.
        assert await watch_of(machine).look() == "1 changed"


async def test_fault_40_every_night_the_desk_itself_tells_the_log_s_head_outside_the_database(
    tmp_path: Path,
) -> None:
    async with office(tmp_path) as machine:
        heads = machine.folder / "muster.db.heads"
        machine.clock.at = NOW + timedelta(hours=9)  # Noon.
        watch = watch_of(machine)
        assert await watch.look() == "" and not heads.exists()
        machine.clock.at = NOW
        assert [await watch.look() for _ in range(3)] == [""] * 3
        first = (await machine.find(LogLine, order=("-sequence",), limit=1))[0]
        assert read_heads(heads) == {first.sequence: first.hash}
        async with machine.door.open() as desk:
            desk.log("filled", "desk")
        machine.move(hours=24)
        assert await watch.look() == ""
        second = (await machine.find(LogLine, order=("-sequence",), limit=1))[0]
        assert read_heads(heads) == {first.sequence: first.hash, second.sequence: second.hash}
        assert second.sequence > first.sequence and len(heads.read_text("utf-8").splitlines()) == 2


async def test_fault_40_a_log_written_anew_as_a_whole_is_found_at_night_by_the_head_told_before(
    tmp_path: Path,
) -> None:
    async with office(tmp_path) as machine:
        async with machine.door.open() as desk:
            desk.log("filled", "desk")
        assert await watch_of(machine).look() == ""
        await _forge(machine)  # Only to take the triggers away.
        with closing(sqlite3.connect(tmp_path / "desk.db")) as raw:
            raw.execute("DELETE FROM duty_log")
            raw.execute("DELETE FROM settings WHERE id = 'audit/log'")
            raw.commit()
        async with machine.door.open() as desk:
            desk.log("filled", "desk")  # A chain that is sound in itself.
        machine.move(hours=24)
        assert await watch_of(machine).look() in ("1 rewritten", "2 missing")


async def test_fault_23_a_full_disk_is_not_taken_for_a_broken_chain(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        async with machine.door.open() as desk:
            desk.log("filled", "desk")
        machine.clock.at = NOW.replace(hour=4)  # Noon: no walk over the whole.
        with closing(sqlite3.connect(tmp_path / "desk.db", isolation_level=None)) as raw:
            raw.execute("BEGIN IMMEDIATE")  # As a full disk does, it keeps others from writing.
            assert await watch_of(machine).look() == ""
            raw.execute("ROLLBACK")


async def test_a_head_that_cannot_be_told_is_a_fault_and_told_as_soon_as_it_can_be(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        heads = machine.folder / "muster.db.heads"
        heads.mkdir()
        watch = watch_of(machine)
        for _ in range(2):
            with pytest.raises(OSError, match="heads"):
                await watch.look()
        heads.rmdir()
        assert await watch.look() == "" and len(read_heads(heads)) == 1


async def test_a_tail_cut_off_the_log_is_found_within_a_minute(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        async with machine.door.open() as desk:
            desk.log("filled", "desk")
        watch = watch_of(machine)
        assert await watch.look() == ""
        await _forge(machine)  # Only to take the triggers away.
        with closing(sqlite3.connect(tmp_path / "desk.db")) as raw:
            raw.execute("DELETE FROM duty_log WHERE sequence = (SELECT max(sequence) FROM duty_log)")
            raw.commit()
        assert (await watch.look()).endswith("rewritten")


async def test_attachments_are_looked_at_in_turn_and_a_lost_one_stays_told(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"photo"

    async with office(tmp_path) as machine:
        digest, count = await machine.media.keep(pieces(), 100)
        stored = Attachment(
            "a000", "line", "f", "photo", NOW, digest=digest, bytes_count=count, state=AttachmentState.stored
        )
        await add(machine, *(replace(stored, id=f"a{number:03}") for number in range(450)))
        disk = DiskWatch(machine.door, machine.media, (tmp_path,), 0, 0)
        assert [await disk.attachments() for _ in range(4)] == [""] * 4
        await change(machine, Attachment, "a300", digest="1" * 64)
        said = [await disk.attachments() for _ in range(6)]
        assert said[-1] == "1: a300" and said.count("1: a300") >= 3
        again = DiskWatch(machine.door, machine.media, (tmp_path,), 0, 0)
        assert await again.attachments() == "1: a300", "a restart does not forget it"
        Path(machine.media.path(digest)).write_bytes(b"phot0")
        assert (
            int((await disk.attachments()).partition(":")[0]) > 20
        )  # The newest are read, not only counted.


async def test_a_full_disk_and_an_old_backup_are_named(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        found = await broken(make(machine, free_min=100, backup_hours=26))
        assert found.keys() == {"room", "backup"} and found["room"].endswith("%")
        await add(machine, Setting(BACKED_UP, (NOW - timedelta(hours=25)).isoformat()))
        assert await broken(make(machine, backup_hours=26)) == {}
        machine.move(hours=2)
        assert (await broken(make(machine, backup_hours=26)))["backup"] == "27 h"


async def test_a_watch_that_fails_is_a_finding_and_not_the_end(tmp_path: Path) -> None:
    async def fails() -> str:
        raise OSError("gone")

    async with office(tmp_path) as machine:
        auditor = Auditor(machine.door, {"room": fails}, Heartbeat(""), 0.01)
        task = asyncio.create_task(auditor.run())
        await machine.until(lambda rows: True, Setting, id="audit")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with machine.door.read() as store:
            audit = await last_audit(store)
        assert audit is not None and audit.standings["room"].broken == "OSError"


async def test_a_channel_s_own_trouble_ends_the_beats_until_it_is_over(tmp_path: Path) -> None:
    async with office(tmp_path) as machine:
        auditor = make(machine)
        async with machine.door.open() as desk:
            await troubles.begin(desk, "line", "unreachable", "ConnectTimeout")
        assert await broken(auditor) == {"channels": "line unreachable"}
        async with machine.door.open() as desk:
            await troubles.end(desk, "line", "unreachable")
        assert await broken(auditor) == {}
