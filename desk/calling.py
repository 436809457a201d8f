"""Which roll an officer may call now, and how many it would ask: the same at every door."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from desk.board import sees_all
from desk.model import Setting
from desk.permissions import Action, may, require
from desk.policy import Policy
from desk.ports import Desk, Store
from desk.recipients import shifts_at
from roster.model import Answer, Officer, RollCall, RollCallPlan, RollCallState, Shift, Unit
from roster.roll_call import audience


@dataclass(frozen=True)
class Offer:
    """A plan as far as this officer may call it, and how many it would ask at this moment."""

    plan: RollCallPlan
    due: int


async def own_share(store: Store, plan: RollCallPlan, officer: Officer) -> RollCallPlan:
    """The plan as far as this officer may call it: a leader the own unit, the office all. Raises NotAllowed."""
    require(officer, Action.call_roll)
    return plan if await sees_all(store, officer) else replace(plan, units=(officer.unit_id,))


async def offers(store: Store, policy: Policy, officer: Officer, now: datetime) -> list[Offer]:
    """Every plan with its number, in the policy's order; none for who may not call: seen before it is pressed."""
    if not may(officer, Action.call_roll):
        return []
    shifts = await shifts_at(store, now)
    units = await store.find(Unit)
    people = await _people(store, policy.roll_calls, shifts)
    found = []
    for plan in policy.roll_calls:
        own = await own_share(store, plan, officer)
        found.append(Offer(own, len(audience(own, shifts, people, units, now))))
    return found


@dataclass(frozen=True)
class Running:
    """The open roll calls of a plan that ask all whom it would ask now, newest first: another asks nothing new."""

    calls: tuple[RollCall, ...] = ()

    @property
    def newest(self) -> RollCall | None:
        return self.calls[0] if self.calls else None

    @property
    def mark(self) -> str:
        """What a confirmation of another speaks of; by the count as well, since two clocks may not agree on newest."""
        return f"{len(self.calls)}-{self.calls[0].id}" if self.calls else ""


async def running(store: Store, plan: RollCallPlan, now: datetime) -> Running:
    """What runs of this plan."""
    open_calls = await store.find(RollCall, plan=plan.name, state=RollCallState.open, order=("-id",))
    if not open_calls:
        return Running()
    shifts = await shifts_at(store, now)
    people = await _people(store, [plan], shifts)
    wanted = {one.officer_id for one in audience(plan, shifts, people, await store.find(Unit), now)}
    found = []
    for roll_call in open_calls if wanted else ():
        asked = await store.find(Answer, roll_call_id=roll_call.id)
        if wanted <= {answer.officer_id for answer in asked}:
            found.append(roll_call)
    return Running(tuple(found))


async def running_in_turn(desk: Desk, plan: RollCallPlan) -> Running:
    """The same for whoever is about to call: people of one plan take turns until their transaction ends.

    So of two who press at one moment, at two replicas as well, the second finds the call of the first."""
    turn = Setting(f"calling/{plan.name}", "")
    await desk.store.add_new(turn)
    await desk.store.hold(Setting, [turn.id])
    return await running(desk.store, plan, desk.now)


async def _people(store: Store, plans: Iterable[RollCallPlan], shifts: list[Shift]) -> list[Officer]:
    """Whom these plans may mean: everybody only where one asks by role."""
    if any(plan.roles for plan in plans):
        return await store.find(Officer, active=True)
    return await store.find(Officer, active=True, id_in=sorted({one.officer_id for one in shifts}))
