"""The town's last roll calls: everybody on watch was asked, one came late, one was reached by telephone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.town.history import MINUTE, Past, Scene
from bot.town.register import read_table
from desk.ports import LogEntry, ulid
from roster.model import Answer, Result, RollCall, RollCallPlan, RollCallState, Unit
from roster.roll_call import Due, audience, reminders, tally
from roster.rota import holders

OVER_BY = timedelta(hours=2)
VERIFIED_AFTER = timedelta(minutes=8)
LATE_AFTER = timedelta(minutes=6, seconds=40)


def call_past_rolls(scene: Scene, past: Past) -> None:
    """Add each roll call of `play.toml` with its answers, its log and its sum."""
    for row in read_table("play.toml")["past_roll_call"]:
        _PastRollCall(scene, past, row).call()


class _PastRollCall:
    """One roll call, from its question to the last verdict."""

    def __init__(self, scene: Scene, past: Past, row: Mapping[str, Any]) -> None:
        self._scene = scene
        self._past = past
        self._row = row
        self._at = _moment(scene, row["at"])
        self._id = ulid(self._at)
        self._plan = RollCallPlan(row["name"], posts=("duty_leader", "duty_officer"))
        self._closes_at = self._at + self._plan.answer_window_minutes * MINUTE

    def call(self) -> None:
        """Write it all."""
        plan, register = self._plan, self._scene.register
        due = audience(plan, self._scene.shifts, register.people, register.units, self._at)
        slot = self._at.isoformat()
        self._log(self._at, "roll_called", plan=plan.name, slot=slot, due=len(due), make_up=False)
        answers = self._answers(due)
        reminded = reminders(plan, self._at, MINUTE)
        for number, at in enumerate(reminded, start=1):
            waiting = sum(one.answered_at is None or one.answered_at > at for one in answers)
            self._log(at, "roll_call_reminded", waiting=waiting, round=number)
        self._close(answers)
        concluded = [self._verified(one) if one.result is Result.no_answer else one for one in answers]
        call = RollCall(
            id=self._id,
            plan=plan.name,
            slot=slot,
            called_at=self._at,
            on_time_until=self._at + plan.on_time_minutes * MINUTE,
            closes_at=self._closes_at,
            state=RollCallState.closed,
            reminders=reminded,
            reminded=len(reminded),
            due_count=len(due),
            counts=tally(concluded),
        )
        self._past.records += [call, *concluded]

    def _answers(self, due: Sequence[Due]) -> list[Answer]:
        late, silent = self._unit("late_unit"), self._unit("silent_unit")
        answers = []
        for number, one in enumerate(due):
            result, answered_at = Result.present, self._at + timedelta(seconds=9 + number * 37 % 101)
            if one.post == "duty_officer" and one.unit_id == late.id:
                result, answered_at = Result.late, self._at + LATE_AFTER
            is_silent = one.post == "duty_officer" and one.unit_id == silent.id
            answer = Answer(
                id=ulid(self._at),
                roll_call_id=self._id,
                officer_id=one.officer_id,
                unit_id=one.unit_id,
                post=one.post,
                presence=one.presence,
                proof=one.proof,
                result=Result.no_answer if is_silent else result,
                answered_at=None if is_silent else answered_at,
                channel="" if is_silent else "webchat",
            )
            answers.append(answer)
            if answer.answered_at is not None:
                facts = {"plan": self._plan.name, "result": result.value, "note": ""}
                self._log(answer.answered_at, "roll_call_answered", one.officer_id, **facts)
        return answers

    def _close(self, answers: Sequence[Answer]) -> None:
        """The silent are named to their leader, and the standby is called, as the desk does at the end."""
        at, people = self._closes_at, {one.id: one.name for one in self._scene.register.people}
        silent = [one for one in answers if one.result is Result.no_answer]
        names = [people[one.officer_id] for one in silent]
        self._log(at, "roll_call_closed", plan=self._plan.name, counts=tally(answers), silent=names)
        for one in silent:
            unit = self._unit("silent_unit")
            for standby in holders(unit.id, "standby", self._scene.shifts, at):
                self._log(at, "standby_called", officer=standby.officer_id, unit=unit.id)
            told = [people[self._leader()]]
            self._log(at, "silent_named", unit=unit.name, silent=[one.officer_id], told=told)

    def _verified(self, answer: Answer) -> Answer:
        """The leader telephoned: 核实在岗, with the reason kept."""
        leader, note = self._leader(), self._row["silent_note"]
        facts = {
            "officer": answer.officer_id,
            "was": answer.result.value,
            "result": Result.verified_present.value,
        }
        self._log(self._closes_at + VERIFIED_AFTER, "answer_concluded", leader, **facts, reason=note)
        return replace(answer, result=Result.verified_present, concluded_by=leader, note=note)

    def _leader(self) -> str:
        held = holders(self._unit("silent_unit").id, "duty_leader", self._scene.shifts, self._closes_at)
        return held[0].officer_id

    def _unit(self, key: str) -> Unit:
        return next(unit for unit in self._scene.register.units if unit.name == self._row[key])

    def _log(self, at: datetime, kind: str, actor: str = "system", /, **facts: Any) -> None:
        self._past.lines.append(LogEntry(at, kind, f"roll_call:{self._id}", actor, facts))


def _moment(scene: Scene, at: str) -> datetime:
    """The newest such moment of the office's day that is over for long enough."""
    zone = ZoneInfo(scene.policy.timezone)
    newest = (scene.now - OVER_BY).astimezone(zone)
    moment = datetime.combine(newest.date(), time.fromisoformat(at), zone)
    if moment > newest:
        moment = datetime.combine(newest.date() - timedelta(days=1), moment.time(), zone)
    return moment.astimezone(UTC)
