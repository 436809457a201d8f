"""The choice of what runs next keeps its promises whatever waits and whatever runs."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.queue.picking import Batch, Bounds, Claims, Kind, pick
from desk.model import Job, Lane
from tests.bot.queue.parts import Heard, job

KINDS = {
    "serial": Kind(Heard(), 5, 1),
    "batch": Kind(Heard(), 3, 2),
    "single": Kind(Heard(), 1, 4),
}

waiting = st.lists(
    st.builds(
        lambda kind, key, tried: (kind, key, tried),
        st.sampled_from(sorted(KINDS)),
        st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from([0, 0, 0, 1]),
    ),
    max_size=30,
)


def jobs_of(drawn: list[tuple[str, str, int]], lane: Lane) -> list[Job]:
    return [
        Job(f"{n:03}", kind, "", job("x").due_at, key, lane, attempts=tried)
        for n, (kind, key, tried) in enumerate(drawn)
    ]


@given(waiting, st.sampled_from(Lane), st.data())
def test_every_promise_holds_while_jobs_come_and_go(
    drawn: list[tuple[str, str, int]], lane: Lane, data: st.DataObject
) -> None:
    claims = Claims(KINDS, Bounds(4, 3))
    due = jobs_of(drawn, lane)
    running: list[Batch] = []
    started: list[str] = []
    while due or running:
        for batch in pick(due, claims, KINDS):
            claims.take(batch)
            running.append(batch)
            started += [one.id for one in batch.jobs]
        check(running, lane)
        assert running, "something due can always start when nothing runs"
        batch = running.pop(data.draw(st.integers(0, len(running) - 1)))
        claims.release(batch)
        due = [one for one in due if one not in batch.jobs]
    assert sorted(started) == [f"{n:03}" for n in range(len(drawn))]
    for key in "abc":
        of_key = [int(one) for one in started if drawn[int(one)][1] == key]
        assert of_key == sorted(of_key)


def check(running: list[Batch], lane: Lane) -> None:
    assert len(running) <= (4 if lane is Lane.urgent else 3)
    for kind, count in Counter(batch.kind for batch in running).items():
        at_once = KINDS[kind].at_once
        assert count <= (at_once if lane is Lane.urgent or at_once == 1 else at_once - 1)
    keys = [{one.key for one in batch.jobs if one.key} for batch in running]
    assert sum(map(len, keys)) == len(set().union(*keys)), "one key runs in two batches"
    for batch in running:
        assert {one.kind for one in batch.jobs} == {batch.kind}
        assert 0 < len(batch.jobs) <= KINDS[batch.kind].batch_max
        assert len(batch.jobs) == 1 or not any(one.attempts for one in batch.jobs)


def test_what_was_seen_before_it_ended_is_passed_over() -> None:
    claims = Claims(KINDS, Bounds(4, 3))
    due = [job("a", "single"), job("b", "single")]
    assert [one.id for batch in pick(due, claims, KINDS, passed_over={"a"}) for one in batch.jobs] == ["b"]
