"""One roll call per planned moment, its counts sum, the silent are named, and whoever answered counts as they did."""

import json
from collections import Counter
from datetime import date, datetime, timedelta

from bot.simulation.messages import Said
from bot.simulation.scene import Scene, moment
from roster.model import RollCallPlan
from roster.roll_call import applies_on

SETTLED_AFTER = timedelta(hours=1)
CLOSED_WITHIN = timedelta(minutes=2)
PROMPT = timedelta(seconds=30)  # A tap that the desk confirmed so soon was in its hands in time.
RECORDED = ("present", "late", "excused")


class RollCalls:
    """From the planned moment to the last name."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._open: set[str] = set()
        self._slots: Counter[tuple[str, str]] = Counter()
        self._closing: dict[str, set[str]] = {}  # Roll call: who its close called silent.
        self._named: dict[str, set[str]] = {}
        self._began = scene.office.clock.now()

    def look(self) -> None:
        """New ones exist once; closed ones sum up."""
        rows = self._scene.rows
        for row in rows.new("roll_calls", "roll_calls"):
            self._slots[row["plan"], row["slot"]] += 1
            once = self._slots[row["plan"], row["slot"]] == 1
            self._scene.check("one_call_per_moment", once, f"{row['plan']} {row['slot']} was called again")
            if row["called_at"] >= self._began.isoformat():
                self._open.add(row["id"])
        for line in rows.new("duty_log", "roll_calls", "AND kind = 'silent_named'"):
            facts = json.loads(line["facts"])
            if facts["told"]:
                self._named.setdefault(line["subject"].partition(":")[2], set()).update(facts["silent"])
        for call_id in sorted(self._open):
            call = rows.one("SELECT * FROM roll_calls WHERE id = ?", call_id)
            if call is not None and call["state"] != "open":
                self._open.discard(call_id)
                self._sums_up(call_id, call["due_count"], call["counts"], call["state"])

    def _sums_up(self, call_id: str, due: int, counts: str, state: str) -> None:
        lines = self._scene.rows.all("SELECT officer_id, result FROM answers WHERE roll_call_id = ?", call_id)
        told = json.loads(counts) if counts else {}
        if state == "closed":
            whole = sum(told.values()) == due == len(lines)
            self._scene.check(
                "counts_sum", whole, f"roll call {call_id} counts {told} of {due}, {len(lines)} lines"
            )
        silent = {one["officer_id"] for one in lines if one["result"] == "no_answer"}
        missing = silent - self._named.get(call_id, set())
        self._scene.check(
            "silent_are_named", not missing, f"roll call {call_id} names nobody for {sorted(missing)}"
        )

    def end(self) -> None:
        """Every moment planned since the beginning was called or is known as missed; every answer counts."""
        over = (self._scene.office.clock.now() - CLOSED_WITHIN).isoformat(timespec="microseconds")
        for row in self._scene.rows.all(
            "SELECT id FROM roll_calls WHERE state = 'open' AND closes_at < ?", over
        ):
            self._scene.ledger.breach("counts_sum", f"roll call {row['id']} never closed")
        for plan, slot in self._planned():
            self._scene.check(
                "every_moment_is_called", (plan, slot) in self._slots, f"{plan} {slot} was never called"
            )
        for said, answer_id in self._scene.world.claims.answered:
            if said.confirmed_at is not None:
                self._counts(said, answer_id)

    def _planned(self) -> list[tuple[str, str]]:
        """What the timetables mean, worked out here without their code; random moments are drawn in advance."""
        found = []
        world, policy = self._scene.world, self._scene.office.policy
        until = world.now - SETTLED_AFTER
        day = world.local(self._began).date()
        while day <= world.local(until).date():
            for plan in policy.roll_calls:
                if plan.cron and applies_on(plan, policy.calendar.day_class(day).value):
                    found += [(plan.name, at) for at in self._moments(plan, day, until)]
            day += timedelta(days=1)
        for row in self._scene.rows.all("SELECT plan, moments FROM draws"):
            for text in json.loads(row["moments"]):
                at = datetime.fromisoformat(text)
                if self._began < at <= until:
                    found.append((row["plan"], at.isoformat()))
        return found

    def _moments(self, plan: RollCallPlan, day: date, until: datetime) -> list[str]:
        minute, hour, of_month, _, weekday = plan.cron.split()
        if of_month not in ("*", str(day.day)) or weekday not in ("*", str(day.isoweekday())):
            return []
        local = self._scene.world.local(self._began)
        at = local.replace(
            year=day.year,
            month=day.month,
            day=day.day,
            hour=int(hour),
            minute=int(minute),
            second=0,
            microsecond=0,
        ).astimezone(self._began.tzinfo)
        return [at.isoformat()] if self._began < at <= until else []

    def _counts(self, said: Said, answer_id: str) -> None:
        row = self._scene.rows.one(
            "SELECT a.*, c.on_time_until, c.called_at, c.slot FROM answers a JOIN roll_calls c ON c.id = a.roll_call_id"
            " WHERE ? IN (a.id, c.id) AND a.officer_id = ?",
            answer_id,
            said.phone.officer.id if said.phone.officer else "",
        )
        kept = row is not None and (
            row["result"] in RECORDED or row["answered_at"] is not None or row["concluded_by"]
        )
        self._scene.check(
            "answers_count", bool(kept), f"the answer {said.key} to {answer_id} is lost: {row and dict(row)}"
        )
        if row is None:
            return
        on_time, called = moment(row["on_time_until"]), moment(row["called_at"])
        if on_time is None or called is None or said.confirmed_at is None:
            return
        in_time = said.confirmed_at <= self._scene.office.clock.first_true(called) + (on_time - called)
        if in_time and said.confirmed_at - said.at <= PROMPT:
            fair = row["result"] not in ("late", "no_answer")
            found = (
                f"{said.key} answered {answer_id} ({row['slot']}) at {said.at} in time and is {row['result']}"
            )
            self._scene.check("in_time_is_in_time", fair, found)


def make(scene: Scene) -> RollCalls:
    """The watcher."""
    return RollCalls(scene)
