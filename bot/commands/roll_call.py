"""`roll-call start` and `roll-call list`: call the roll now, and see what is planned and what was called."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from bot.commands.office import Office, is_running, open_office
from bot.commands.terminal import Invocation, complain, help_text, invocation, show
from bot.timetable import occurrences
from desk import roll_calls
from desk.calling import running_in_turn
from roster.model import RollCall, RollCallPlan, RollCallState
from roster.roll_call import applies_on

LOOK_AHEAD = timedelta(days=400)
RECENT = 10

app = typer.Typer(help=help_text("roll_call"))


@app.command(help=help_text("roll_call_start"))
def start(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(help=help_text("plan"))],
    again: Annotated[bool, typer.Option("--again", help=help_text("roll_call_again"))] = False,
) -> None:
    """Call the roll now."""
    asyncio.run(_start(invocation(context), plan, again=again))


@app.command("list", help=help_text("roll_call_list"))
def list_plans(context: typer.Context) -> None:
    """Show the plans and the last roll calls."""
    asyncio.run(_list(invocation(context)))


async def _start(call: Invocation, name: str, *, again: bool) -> None:
    config = call.config
    async with open_office(config) as office:
        plans = {plan.name: plan for plan in office.door.policy.roll_calls}
        if name not in plans:
            known = ", ".join(plans) or "-"
            raise call.stop("no_plan", name=name, hint=call.nearest(name, plans), known=known)
        async with office.door.open() as desk:
            runs = None if again else (await running_in_turn(desk, plans[name])).newest
            if runs is not None:
                at, to = _local(call, runs.called_at), _local(call, runs.closes_at)
                raise call.stop("roll_call_runs", name=name, called_at=at, closes_at=to)
            called = await roll_calls.call(desk, plans[name], f"manual-cli-{desk.new_id()}")
    if called is None or called.state is RollCallState.closed:
        raise call.stop("roll_call_of_nobody", name=name)
    closes_at = _local(call, called.closes_at)
    show(call.say("roll_called", name=name, due=called.due_count, closes_at=closes_at))
    if not is_running(config):
        complain(call.say("desk_not_running"))


async def _list(call: Invocation) -> None:
    async with open_office(call.config) as office:
        for plan in office.door.policy.roll_calls:
            show(_planned(call, office, plan))
        async with office.door.read() as store:
            recent = await store.find(RollCall, order=("-called_at",), limit=RECENT)
    show("", call.say("recent" if recent else "none_called"))
    for one in recent:
        show(_called(call, one))


def _planned(call: Invocation, office: Office, plan: RollCallPlan) -> str:
    """When a plan calls next; random moments are never told beforehand, only their window."""
    if plan.random is not None:
        days = ",".join(str(day) for day in plan.random.weekdays)
        facts = {"window": plan.random.window, "times": plan.random.times, "days": days}
        return call.say("plan_random", name=plan.name, **facts)
    now = office.clock.now()
    zone = ZoneInfo(office.door.policy.timezone)
    for moment in occurrences(plan.cron, zone, now, now + LOOK_AHEAD):
        if applies_on(plan, office.door.policy.calendar.day_class(moment.astimezone(zone).date())):
            return call.say("plan_next", name=plan.name, at=_local(call, moment))
    return call.say("plan_never", name=plan.name)


def _called(call: Invocation, one: RollCall) -> str:
    at = _local(call, one.called_at)
    counts = "  ".join(
        f"{call.say(f'result_{name}')} {count}" for name, count in (one.counts or {}).items() if count
    )
    state = call.say(f"state_{one.state.value}")
    return f"{at}  {one.plan}  {state}  {call.say('result_due')} {one.due_count}  {counts}".rstrip()


def _local(call: Invocation, moment: datetime) -> str:
    return (
        moment.astimezone(ZoneInfo(call.config.office.timezone))
        .strftime("%Y-%m-%d %H:%M:%S")
        .removesuffix(":00")
    )
