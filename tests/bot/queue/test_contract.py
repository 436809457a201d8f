"""What every engine of the work queue promises, over every store."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from desk.model import Job, Lane, Setting
from desk.ports import Postpone, Stale
from tests.bot.queue.parts import NOW, Bench, Heard, job, until


class Trouble(Exception):
    """What a handler meets."""


def poison(*ids: str) -> Heard:
    """A handler that fails whenever one of these jobs is in the batch."""
    return Heard(lambda jobs: Trouble("bad") if {one.id for one in jobs} & set(ids) else None)


async def undone(bench: Bench, *jobs: Job) -> None:
    """A transaction that puts jobs and fails."""
    with contextlib.suppress(Trouble):
        async with bench.transactions.begin() as store:
            await bench.queue.put(store, jobs)
            bench.queue.wake()
            raise Trouble


async def test_a_job_runs_once_and_is_gone(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("work", heard)
    async with bench.running():
        await bench.put(job("a"))
        await bench.empty()
    assert heard.ids == ["a"]


async def test_a_rolled_back_transaction_leaves_no_job(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("work", heard)
    async with bench.running():
        await undone(bench, job("undone"))
        await bench.put(job("after"))
        await bench.empty()
    assert heard.ids == ["after"]


async def test_a_job_is_not_seen_before_its_transaction_commits(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("work", heard)
    async with bench.running():
        async with bench.transactions.begin() as store:
            await bench.queue.put(store, [job("mine", after=-1)])
            await bench.looked()
            assert heard.ids == []
        bench.queue.wake()
        await bench.empty()
    assert heard.ids == ["mine"]


async def test_an_id_that_waits_is_left_as_it_is(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("work", heard)
    await bench.put(job("same", after=60))
    await bench.put(job("same", after=5), job("same", after=7), job("other", after=1))
    assert [(row.id, row.due_at) for row in await bench.rows()] == [
        ("other", NOW + timedelta(seconds=1)),
        ("same", NOW + timedelta(seconds=60)),
    ]
    async with bench.running():
        bench.move(60)
        await bench.empty()
    assert heard.ids == ["other", "same"]


async def test_a_cancelled_job_does_not_run(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("work", heard)
    await bench.put(job("a"), job("b"), job("c"))
    async with bench.transactions.begin() as store:
        await bench.queue.cancel(store, ["b", "unknown"])
    async with bench.running():
        await bench.empty()
    assert sorted(heard.ids) == ["a", "c"]


async def test_a_job_waits_for_its_moment(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("work", heard, at_once=1)
    await bench.put(job("later", after=30), job("sooner", after=10))
    async with bench.running():
        bench.move(9.999)
        await bench.put(job("now"))
        await heard.reach(1)
        bench.move(0.001)
        await heard.reach(2)
        bench.move(20)
        await heard.reach(3)
    assert heard.ids == ["now", "sooner", "later"]


async def test_jobs_of_one_key_run_one_at_a_time_in_order_of_due_time_then_id(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("work", heard)
    bench.queue.handle("other", heard)
    mixed = [job(f"{n:02}", ("work", "other")[n % 3 == 0], after=-n // 5, key="k") for n in range(40)]
    await bench.put(*mixed)
    async with bench.running():
        await bench.empty()
    assert heard.ids == [one.id for one in sorted(mixed, key=lambda one: (one.due_at, one.id))]
    assert heard.running_most == 1


async def test_a_busy_kind_keeps_its_place_in_the_order_of_a_key(bench: Bench) -> None:
    slow, quick = Heard().hold(), Heard()
    bench.queue.handle("slow", slow, at_once=1)
    bench.queue.handle("quick", quick)
    async with bench.running():
        await bench.put(job("0", "slow", key="elsewhere"))
        await slow.reach(1)
        await bench.put(job("1", "slow", key="k"), job("2", "quick", key="k"), job("3", "quick", key="free"))
        await quick.reach(1)
        assert quick.ids == ["3"]
        slow.free.set()
        await bench.empty()
    assert quick.ids == ["3", "2"]
    assert slow.ids == ["0", "1"]


async def test_a_long_backlog_of_one_kind_keeps_its_place_in_the_order_of_a_key(bench: Bench) -> None:
    ended: list[str] = []

    async def handler(jobs: Sequence[Job]) -> None:
        ended.extend(one.id for one in jobs)

    bench.queue.handle("remind", handler, at_once=2)
    bench.queue.handle("close", handler)
    await bench.put(
        *(job(f"{n:03}", "remind", after=-9, key=f"other{n}") for n in range(100)),
        job("remind", "remind", after=-2, key="k"),
        job("close", "close", after=-1, key="k"),
    )
    async with bench.running():
        await bench.empty()
    assert ended.index("remind") < ended.index("close")


async def test_the_lanes_of_one_key_do_not_wait_for_each_other(bench: Bench) -> None:
    bulk, urgent = Heard().hold(), Heard()
    bench.queue.handle("bulk", bulk)
    bench.queue.handle("urgent", urgent)
    async with bench.running():
        await bench.put(job("b", "bulk", key="k", lane=Lane.bulk))
        await bulk.reach(1)
        await bench.put(job("u", "urgent", key="k"))
        await urgent.reach(1)
        bulk.free.set()


async def test_jobs_without_a_key_run_side_by_side_up_to_a_bound(bench: Bench) -> None:
    heard, other = Heard().hold(), Heard().hold()
    bench.queue.handle("work", heard, at_once=4)
    bench.queue.handle("other", other, at_once=40)
    await bench.put(
        *(job(f"w{n}") for n in range(20)), *(job(f"x{n:02}", "other", after=-1) for n in range(4))
    )
    async with bench.running():
        await until(lambda: heard.running == 4 and other.running == 4)
        await bench.put(*(job(f"y{n}", "other") for n in range(20)))
        heard.free.set()
        await until(lambda: other.running == 16)
        other.free.set()
        await bench.empty()
    assert (heard.running_most, other.running_most) == (4, 16)


async def test_urgent_work_never_waits_behind_ten_thousand_bulk_jobs(bench: Bench) -> None:
    bulk, urgent = Heard().hold(), Heard()
    bench.queue.handle("bulletin", bulk, at_once=100)
    bench.queue.handle("page", urgent, at_once=100)
    await bench.put(*(job(f"{n:05}", "bulletin", after=-5, lane=Lane.bulk) for n in range(10_000)))
    async with bench.running():
        await until(lambda: bulk.running == 6)
        for n in range(20):  # The bulk handlers stay busy: only the workers kept free can do this.
            await bench.put(job(f"page{n:02}", "page"))
            await urgent.reach(n + 1)
        assert len(bulk.ids) == 6
        bulk.free.set()


async def test_bulk_leaves_a_place_for_urgent_work_of_its_own_kind(bench: Bench) -> None:
    heard = Heard().hold()
    bench.queue.handle("send", heard, at_once=4)
    await bench.put(*(job(f"b{n:03}", "send", after=-5, lane=Lane.bulk) for n in range(500)))
    async with bench.running():
        await until(lambda: heard.running == 3)
        await bench.put(job("u", "send"))
        await heard.reach(4)
        assert heard.ids[3] == "u"
        heard.free.set()


async def test_no_bulk_job_starts_while_urgent_work_of_its_kind_is_due(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("send", heard, at_once=1, batch_max=10)
    await bench.put(
        *(job(f"b{n:03}", "send", after=-60, lane=Lane.bulk) for n in range(300)),
        *(job(f"u{n:03}", "send") for n in range(300)),
    )
    async with bench.running():
        await bench.empty()
    assert [one[0] for one in heard.ids] == ["u"] * 300 + ["b"] * 300


async def test_the_place_a_bulk_job_leaves_goes_to_urgent_work_of_its_kind(bench: Bench) -> None:
    begun: list[str] = []
    ends = {"b0": asyncio.Event(), "u0": asyncio.Event()}

    async def handler(jobs: Sequence[Job]) -> None:
        begun.append(jobs[0].id)
        if jobs[0].id in ends:
            await ends[jobs[0].id].wait()

    bench.queue.handle("send", handler, at_once=2)
    await bench.put(*(job(f"b{n}", "send", after=-9, lane=Lane.bulk) for n in range(5)), job("u0", "send"))
    loop = asyncio.get_running_loop()
    async with bench.running():
        await until(lambda: len(begun) == 2)
        await bench.put(job("u1", "send"))
        long_after = loop.time() + 1.7  # By now nobody thinks of the moment when it was put.
        await until(lambda: loop.time() > long_after)
        ends["b0"].set()
        await until(lambda: len(begun) > 2)
        assert begun[:3] == ["u0", "b0", "u1"]
        ends["u0"].set()
        await bench.empty()


async def test_a_batch_holds_due_jobs_of_any_keys_in_order_and_no_more_than_its_size(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("hear", heard, batch_max=7, at_once=3)
    jobs = [job(f"{n:03}", "hear", key=f"k{n % 5}") for n in range(100)]
    await bench.put(*jobs)
    async with bench.running():
        await bench.empty()
    assert max(map(len, heard.batches)) == 7
    by_key = defaultdict(list)
    for job_id in heard.finished:
        by_key[int(job_id) % 5].append(job_id)
    assert all(ids == sorted(ids) and len(ids) == 20 for ids in by_key.values())


async def test_a_serial_kind_never_runs_twice_at_once(bench: Bench) -> None:
    heard = Heard()
    bench.queue.handle("hear", heard, batch_max=5, at_once=1)
    async with bench.running():
        for n in range(60):
            await bench.put(job(f"{n:03}", "hear"))
        await bench.empty()
    assert heard.running_most == 1
    assert heard.ids == [f"{n:03}" for n in range(60)]


async def test_fault_9_one_poison_job_spoils_no_batch_and_is_parked_with_its_error(bench: Bench) -> None:
    heard = poison("bad")
    bench.queue.handle("hear", heard, batch_max=20, at_once=1)
    await bench.put(*(job(f"{n:02}", "hear", key="k") for n in range(9)), job("bad", "hear", key="k"))
    async with bench.running():
        await until(lambda: sorted(heard.finished) == [f"{n:02}" for n in range(9)])
        for run in range(1, 6):
            [row] = await bench.settle(lambda rows, run=run: [one.attempts for one in rows] == [run])  # type: ignore[misc]  # mypy cannot see a lambda's default.
            assert not row.parked
            bench.move((row.due_at - bench.clock.now()).total_seconds())
            # What comes meanwhile shares no batch with it and is not held up, whatever the key.
            await bench.put(
                replace(job(f"new{run}", "hear", key="k"), due_at=row.due_at - timedelta(seconds=1))
            )
            await until(lambda run=run: f"new{run}" in heard.finished)  # type: ignore[misc]  # As above.
        [row] = await bench.settle(lambda rows: [one.parked for one in rows] == [True])
    assert row.error == "Trouble: bad"
    assert (await bench.queue.depth()).parked == 1
    assert sum("bad" in batch for batch in heard.batches) == 7  # In a batch, alone, and five retries.
    assert heard.finished.count("bad") == 0


async def test_a_failed_job_is_tried_again_after_one_five_thirty_seconds_two_and_ten_minutes(
    bench: Bench,
) -> None:
    heard = poison("bad")
    bench.queue.handle("work", heard)
    await bench.put(job("bad"))
    waits = []
    async with bench.running():
        for run in range(1, 6):
            [row] = await bench.settle(lambda rows, run=run: rows[0].attempts == run)  # type: ignore[misc]  # mypy cannot see a lambda's default.
            waits.append((row.due_at - bench.clock.now()).total_seconds())
            bench.move(waits[-1] - 0.001)
            await bench.put(job(f"in time {run}"))
            await until(lambda run=run: f"in time {run}" in heard.finished)  # type: ignore[misc]  # As above.
            assert heard.ids.count("bad") == run
            bench.move(0.001)
        await bench.settle(lambda rows: rows[0].parked)
    assert all(
        0.8 * rung <= wait <= 1.2 * rung for rung, wait in zip((1, 5, 30, 120, 600), waits, strict=True)
    )


async def test_a_parked_job_runs_again_when_somebody_says_so(bench: Bench) -> None:
    heard = poison("bad")
    bench.queue.handle("work", heard)
    async with bench.transactions.begin() as store:
        await store.add(
            replace(job("bad"), parked=True, attempts=6, error="Trouble: bad"), job("waits", after=9)
        )
    async with bench.running():
        await bench.put(job("bad"), job("other"))  # Putting it again does not unpark it.
        await until(lambda: "other" in heard.finished)
        assert "bad" not in heard.ids
        heard.fails = lambda jobs: None
        async with bench.transactions.begin() as store:
            await bench.queue.retry(store, ["bad", "waits", "unknown"])
        bench.queue.wake()
        await until(lambda: "bad" in heard.finished)
        await bench.settle(lambda rows: [one.id for one in rows] == ["waits"])


async def test_the_jobs_behind_a_failed_one_go_on_at_once(bench: Bench) -> None:
    heard = poison("1")
    bench.queue.handle("work", heard)
    await bench.put(job("1", key="k"), job("2", key="k"), job("3", key="other"))
    async with bench.running():
        await until(lambda: sorted(heard.finished) == ["2", "3"])
        [row] = await bench.settle(lambda rows: len(rows) == 1)
        assert (row.id, row.attempts) == ("1", 1)


async def test_failed_jobs_of_one_key_come_back_in_their_order(bench: Bench) -> None:
    heard = Heard(lambda jobs: Trouble("everybody"))
    bench.queue.handle("hear", heard, batch_max=50)
    await bench.put(*(job(f"{n:02}", "hear", key="k") for n in range(30)))
    async with bench.running():
        rows = await bench.settle(lambda rows: all(one.attempts == 1 for one in rows))
        assert [one.id for one in sorted(rows, key=lambda one: (one.due_at, one.id))] == [
            one.id for one in rows
        ]
        heard.fails = lambda jobs: None
        bench.move(2)
        await bench.empty()
    assert heard.finished == [f"{n:02}" for n in range(30)]


async def test_postpone_moves_the_moment_and_counts_no_attempt(bench: Bench) -> None:
    later = NOW + timedelta(seconds=37)
    heard = Heard(lambda jobs: Postpone(later) if bench.clock.now() < later else None)
    bench.queue.handle("send", heard, batch_max=10)
    await bench.put(job("a", "send", key="k"), job("b", "send"))
    async with bench.running():
        rows = await bench.settle(lambda rows: all(one.due_at == later for one in rows))
        assert [(one.attempts, one.error, one.parked) for one in rows] == [(0, "", False)] * 2
        bench.move(37)
        await bench.empty()
    assert heard.finished == ["a", "b"]
    assert len(heard.batches) == 2


async def test_postpone_passes_out_of_an_open_transaction(bench: Bench) -> None:
    async def handler(jobs: Sequence[Job]) -> None:
        async with bench.transactions.begin() as store:
            await store.add(Setting("undone", "x"))
            raise Postpone(NOW + timedelta(seconds=5))

    bench.queue.handle("work", handler)
    await bench.put(job("a"))
    async with bench.running():
        await bench.settle(lambda rows: rows[0].due_at > NOW)
    async with bench.transactions.read() as store:
        assert await store.count(Setting) == 0


async def test_an_effect_and_the_end_of_its_job_commit_together(bench: Bench) -> None:
    tries = []

    async def handler(jobs: Sequence[Job]) -> None:
        tries.append([one.id for one in jobs])
        async with bench.transactions.begin() as store:
            await store.add(*(Setting(one.ref, "done") for one in jobs))
            await bench.queue.done(store, jobs)
            async with bench.transactions.read() as outside:
                assert await outside.count(Job) == 2
            if len(tries) == 1:
                raise Trouble  # After `done`: the effect and the end are undone together.

    bench.queue.handle("hear", handler, batch_max=10, at_once=1)
    await bench.put(job("a", "hear"), job("later", "hear", after=3600))
    async with bench.running():
        await bench.settle(lambda rows: [one.attempts for one in rows] == [1, 0])
        async with bench.transactions.read() as store:
            assert await store.count(Setting) == 0
        bench.move(2)
        await bench.settle(lambda rows: [one.id for one in rows] == ["later"])
    assert tries == [["a"], ["a"]]


async def test_an_end_that_was_undone_is_made_when_the_job_has_run_alone(bench: Bench) -> None:
    runs = []

    async def handler(jobs: Sequence[Job]) -> None:
        runs.append([one.id for one in jobs])
        if len(jobs) > 1:
            async with bench.transactions.begin() as store:
                await bench.queue.done(store, jobs)
                raise Trouble

    bench.queue.handle("hear", handler, batch_max=3)
    await bench.put(*(job(str(n), "hear") for n in range(3)))
    async with bench.running():
        await bench.empty()
    assert runs == [["0", "1", "2"], ["0"], ["1"], ["2"]]


async def test_what_a_batch_has_done_stays_done_when_the_rest_is_postponed_or_fails(bench: Bench) -> None:
    runs: list[tuple[str, ...]] = []

    async def handler(jobs: Sequence[Job]) -> None:
        runs.append(tuple(one.id for one in jobs))
        if len(jobs) == 4:
            async with bench.transactions.begin() as store:
                await bench.queue.done(store, jobs[:1])
            raise Trouble
        if jobs[0].id == "1":
            async with bench.transactions.begin() as store:
                await bench.queue.done(store, jobs)
            raise Postpone(NOW + timedelta(seconds=9))  # Too late: it is done.
        if jobs[0].id == "2" and bench.clock.now() < NOW + timedelta(seconds=9):
            raise Postpone(NOW + timedelta(seconds=9))

    bench.queue.handle("send", handler, batch_max=4)
    await bench.put(*(job(str(n), "send") for n in range(4)))
    async with bench.running():
        await bench.settle(lambda rows: [(one.id, one.due_at > NOW) for one in rows] == [("2", True)])
        bench.move(9)
        await bench.empty()
    assert runs == [("0", "1", "2", "3"), ("1",), ("2",), ("3",), ("2",)]


async def test_a_handler_may_put_off_one_job_of_its_batch_in_its_own_transaction(bench: Bench) -> None:
    runs = []

    async def handler(jobs: Sequence[Job]) -> None:
        runs.append([one.id for one in jobs])
        async with bench.transactions.begin() as store:
            await bench.queue.done(store, jobs)
            if len(jobs) == 2:
                await bench.queue.put(store, [replace(jobs[1], due_at=NOW + timedelta(seconds=20))])

    bench.queue.handle("send", handler, batch_max=4)
    await bench.put(job("a", "send"), job("b", "send"))
    async with bench.running():
        await bench.settle(lambda rows: [(one.id, one.due_at > NOW) for one in rows] == [("b", True)])
        bench.move(20)
        await bench.empty()
    assert runs == [["a", "b"], ["b"]]


@pytest.mark.parametrize("again_after", [0.0, 30.0])
async def test_a_job_put_again_while_it_runs_runs_once_more(bench: Bench, again_after: float) -> None:
    heard, free = Heard().hold(), Heard()
    bench.queue.handle("step", heard)
    bench.queue.handle("work", free)
    await bench.put(job("step/1", "step", key="k"))
    async with bench.running():
        await heard.reach(1)
        await bench.put(job("step/1", "step", after=again_after, key="k"))
        await bench.put(job("step/1", "step", after=99, key="k"))  # It waits already.
        heard.free.set()
        bench.move(again_after + 0.001)
        await bench.empty()
    assert heard.ids == ["step/1", "step/1"]


async def test_a_handler_may_put_its_own_job_again(bench: Bench) -> None:
    runs = []

    async def handler(jobs: Sequence[Job]) -> None:
        runs.append(bench.clock.now())
        if len(runs) < 3:
            async with bench.transactions.begin() as store:
                await bench.queue.put(store, [replace(jobs[0], due_at=NOW + timedelta(minutes=len(runs)))])

    bench.queue.handle("step", handler)
    await bench.put(job("step", "step"))
    async with bench.running():
        for minute in (1, 2):
            await bench.settle(lambda rows, at=NOW + timedelta(minutes=minute): rows[0].due_at == at)  # type: ignore[misc]  # mypy cannot see a lambda's default.
            bench.move(60)
        await bench.empty()
    assert runs == [NOW, NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)]


async def test_putting_a_running_job_again_is_undone_with_its_transaction(bench: Bench) -> None:
    heard = Heard().hold()
    bench.queue.handle("step", heard)
    await bench.put(job("step", "step"))
    async with bench.running():
        await heard.reach(1)
        await undone(bench, job("step", "step", after=30))
        heard.free.set()
        await bench.empty()
    assert heard.ids == ["step"]


async def test_a_handler_that_lost_a_race_decides_again_at_once(bench: Bench) -> None:
    heard = Heard(lambda jobs: Stale("letter") if len(heard.batches) < 3 else None)
    bench.queue.handle("step", heard)
    await bench.put(job("step", "step"))
    async with bench.running():
        await bench.empty()
    assert heard.ids == ["step"] * 3
    assert bench.clock.now() == NOW


async def test_a_job_that_loses_one_race_after_another_is_not_overtaken_on_its_key(bench: Bench) -> None:
    heard = Heard(lambda jobs: Stale("draft") if len(heard.batches) < 9 else None)
    bench.queue.handle("step", heard)
    await bench.put(job("first", "step", after=-2, key="k"), job("second", "step", after=-1, key="k"))
    async with bench.running():
        await bench.empty()
    assert heard.finished == ["first", "second"]


async def test_depth_tells_what_waits_by_lane_and_kind_and_since_when(bench: Bench) -> None:
    bench.queue.handle("send", Heard())
    bench.queue.handle("step", Heard())
    assert (await bench.queue.depth()).oldest_due_at is None
    await bench.put(
        job("a", "send", after=-30, lane=Lane.bulk),
        job("b", "send", after=-5),
        job("c", "send", after=60),
        job("d", "step", after=60),
    )
    async with bench.transactions.begin() as store:
        await store.add(replace(job("e", "send", after=-90), parked=True))
    depth = await bench.queue.depth()
    assert dict(depth.waiting) == {
        (Lane.bulk, "send"): 1,
        (Lane.bulk, "step"): 0,
        (Lane.urgent, "send"): 2,
        (Lane.urgent, "step"): 1,
    }
    assert (depth.parked, depth.oldest_due_at) == (1, NOW - timedelta(seconds=30))
