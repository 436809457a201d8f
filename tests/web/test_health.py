"""What watchers ask: is it alive, can it take messages, and how does it stand."""

import sqlite3
from pathlib import Path

from desk.audits import record
from desk.invariants import Finding
from desk.model import Job, Lane
from tests.web.world import World, open_world
from web.sessions import SEEN_EVERY


async def test_alive_and_ready_need_no_sign_in(world: World) -> None:
    client = world.client()
    assert (await client.get("/healthz")).text == "ok\n"
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "faults": []})


async def test_a_database_that_takes_no_write_is_not_ready_and_heals_by_itself(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        client = world.client()
        raw = sqlite3.connect(tmp_path / "muster.db", isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        answer = await client.get("/readyz", timeout=30)
        assert answer.status_code == 503
        assert answer.json()["faults"][0].startswith("database: ")
        assert (await client.get("/healthz")).status_code == 200
        raw.execute("ROLLBACK")
        raw.close()
        assert (await client.get("/readyz", timeout=30)).status_code == 200


async def test_fault_21_a_locked_database_is_a_503_for_acts_while_reading_goes_on(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        incident = await world.report("起火")
        client = await world.signed_in("o-chen")
        raw = sqlite3.connect(tmp_path / "muster.db", isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        assert (await client.get("/board")).status_code == 200
        answer = await client.post(
            f"/incidents/{incident.number}/sign", data={"csrf": world.csrf(client)}, timeout=60
        )
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "10"
        assert "系统正忙" in answer.text
        raw.execute("ROLLBACK")
        raw.close()
        assert (await world.press(client, f"/incidents/{incident.number}/sign")).status_code == 303


async def test_fault_21_and_23_what_is_stored_is_shown_though_no_look_can_be_noted(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        incident = await world.report("起火")
        client = await world.signed_in("o-chen")
        world.clock.at += 2 * SEEN_EVERY  # It would be written down that somebody looks.
        raw = sqlite3.connect(tmp_path / "muster.db", isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        answer = await client.get("/board", timeout=30)
        assert answer.status_code == 200 and incident.number in answer.text
        raw.execute("ROLLBACK")
        raw.close()


async def test_fault_34_the_memory_and_the_files_of_the_process_are_figures(world: World) -> None:
    told = (await world.client().get("/metrics")).text
    figures = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    assert float(figures["process_resident_memory_bytes"]) > 1_000_000
    assert 0 < float(figures["process_open_fds"]) < float(figures["process_max_fds"])


async def test_figures_are_for_this_machine_and_those_who_may_look(world: World) -> None:
    await world.report("起火")
    async with world.door.open() as desk:
        await desk.store.add(Job("J1", "fetch", "x", world.clock.now(), lane=Lane.bulk, parked=True))
    told = (await world.client().get("/metrics")).text
    assert 'muster_open_incidents{severity="general"} 1.0' in told
    assert "muster_jobs_parked 1.0" in told
    assert "muster_loop_lag_seconds" in told
    assert (await world.client().get("/metrics", headers={"X-Forwarded-For": "1.2.3.4"})).status_code == 403


async def test_the_age_of_each_invariant_is_a_figure_and_ready_takes_no_notice(world: World) -> None:
    assert "muster_invariant_age_seconds" not in (await world.client().get("/metrics")).text
    for findings in ([Finding("letters")], [Finding("letters", "incident_page"), Finding("room", "3 %")]):
        async with world.door.open() as desk:
            await record(desk, findings)
        world.clock.pass_minutes(2)
    told = (await world.client().get("/metrics")).text
    assert 'muster_invariant_age_seconds{invariant="letters"} 240.0' in told
    assert 'muster_invariant_age_seconds{invariant="room"} +Inf' in told
    assert "muster_audit_age_seconds 120.0" in told
    assert (await world.client().get("/readyz")).status_code == 200


async def test_the_board_shows_what_the_desk_found_wrong_with_itself(world: World) -> None:
    for _ in range(2):
        async with world.door.open() as desk:
            await record(desk, [Finding("letters", "incident_page")])
    told = (await (await world.signed_in("o-jian")).get("/board")).text
    assert "自查不通过" in told and "有急件没发出去" in told and "incident_page" in told
    assert "/troubles/retry" not in told
    assert "有急件没发出去" in (await (await world.signed_in("o-jian")).get("/log")).text
    assert "自查不通过" not in (await (await world.signed_in("o-chen")).get("/board")).text
