"""The office's rules as they hold in the town, where only the phones on the page are looked at by anybody."""

from dataclasses import replace

from bot.town.register import read_register
from desk.policy import Policy
from desk.ports import Desk
from desk.timetables import move_on


def town_policy(policy: Policy) -> Policy:
    """The policy with every planned roll call asking the phones' own unit only."""
    units = read_register().roll_call.units
    plans = tuple(replace(plan, units=units, roles=()) for plan in policy.roll_calls)
    return replace(policy, roll_calls=plans)


async def sleep_through(desk: Desk) -> None:
    """A town that was switched off has missed nothing: its timetables go on from now."""
    await move_on(desk, (*desk.policy.roll_calls, *desk.policy.bulletins), desk.now)
