"""Reads roll calls for the board: counts that always sum to 应到, and how each person on watch stands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from desk.board_views import Dot, RollCallView
from desk.ports import Store
from roster.model import Answer, Officer, Result, RollCall, RollCallState, Unit

OPEN_MAX = 8
CLOSED_MAX = 4
ANSWERS_MAX = 5000
ANSWERED = (Result.present, Result.late, Result.verified_present, Result.unregistered_cover)
SILENT = (Result.waiting, Result.no_answer)


@dataclass(frozen=True)
class RollCalls:
    """The calls that run and the last that ended, with as many answers as the reader needs."""

    open: tuple[RollCall, ...]
    closed: tuple[RollCall, ...]
    answers: Mapping[str, Sequence[Answer]]  # By call; of a closed call only for a unit's reader.

    def people(self) -> Iterable[str]:
        """Whose names are shown."""
        return (answer.officer_id for call in self.open for answer in self.answers.get(call.id, ()))

    def views(
        self,
        calls: Sequence[RollCall],
        own: str | None,
        people: Mapping[str, Officer],
        units: Mapping[str, Unit],
    ) -> tuple[RollCallView, ...]:
        """The calls as the reader sees them."""
        return tuple(
            view_counted(call)
            if own is None and call.state is not RollCallState.open
            else view_roll_call(call, self.answers.get(call.id, ()), people, units)
            for call in calls
        )


async def read_roll_calls(store: Store, own: str | None) -> RollCalls:
    """The newest calls; answers in full of those that run, and of a unit's own people in those that ended."""
    running = await store.find(RollCall, state=RollCallState.open, order=("-called_at",), limit=OPEN_MAX)
    ended = [RollCallState.closed, RollCallState.missed]
    closed = await store.find(RollCall, state_in=ended, order=("-called_at",), limit=CLOSED_MAX)
    criteria: dict[str, Any] = {} if own is None else {"unit_id": own}
    answers: dict[str, Sequence[Answer]] = {}
    for call in running if own is None else [*running, *closed]:
        found = await store.find(Answer, roll_call_id=call.id, limit=ANSWERS_MAX, **criteria)
        answers[call.id] = found
    return RollCalls(tuple(running), tuple(closed), answers)


async def newest_results(store: Store, calls: RollCalls, officer_ids: Iterable[str]) -> dict[str, Result]:
    """How each of these people stands in the newest of the calls that asked them."""
    wanted = sorted(set(officer_ids))
    shown = [*calls.open, *calls.closed]
    if not wanted or not shown:
        return {}
    found = await store.find(Answer, officer_id_in=wanted, roll_call_id_in=[call.id for call in shown])
    place = {call.id: call.called_at for call in shown}
    return {
        answer.officer_id: answer.result for answer in sorted(found, key=lambda one: place[one.roll_call_id])
    }


def view_roll_call(
    call: RollCall,
    answers: Sequence[Answer],
    people: Mapping[str, Officer],
    units: Mapping[str, Unit],
) -> RollCallView:
    """One roll call counted from its answers, so that the counts always sum to 应到."""
    counts = dict.fromkeys(Result, 0)
    for answer in answers:
        counts[answer.result] += 1
    order = list(Result)
    dots = [
        Dot(
            answer_id=answer.id,
            officer_id=answer.officer_id,
            officer=people[answer.officer_id].name if answer.officer_id in people else answer.officer_id,
            unit=units[answer.unit_id].name if answer.unit_id in units else answer.unit_id,
            post=answer.post,
            proof=answer.proof,
            result=answer.result,
            answered_at=answer.answered_at,
        )
        for answer in sorted(
            answers, key=lambda one: (one.unit_id, one.post, order.index(one.result), one.id)
        )
    ]
    return _view(call, counts, tuple(dots))


def view_counted(call: RollCall) -> RollCallView:
    """A roll call that ended, from the counts it was closed with; its people are on its own page."""
    counts = dict.fromkeys(Result, 0)
    counts.update({Result(name): count for name, count in (call.counts or {}).items()})
    return _view(call, counts, ())


def _view(call: RollCall, counts: Mapping[Result, int], dots: tuple[Dot, ...]) -> RollCallView:
    return RollCallView(
        roll_call=call,
        due=sum(counts.values()),
        answered=sum(counts[result] for result in ANSWERED),
        unanswered=sum(counts[result] for result in SILENT),
        counts={result: count for result, count in counts.items() if count},
        dots=dots,
    )
