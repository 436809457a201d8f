"""The town's roster: who stands which watch on which day, by a rotation that needs no memory."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from bot.town.register import Register
from desk.policy import Policy
from roster.model import Officer, Presence, Shift, Unit
from roster.rota import required, watch_span

AHEAD_DAYS = 25
BACK_DAYS = 28  # The oldest story lies that far back.
LEAST_AHEAD_DAYS = 14


def first_day(today: date) -> date:
    """Where a new roster begins: far enough back for the history, and with the whole month."""
    return min(today.replace(day=1), today - timedelta(days=BACK_DAYS))


def last_day(today: date) -> date:
    """Where a roster made today ends: with the month, or later."""
    return max(_end_of_month(today), today + timedelta(days=AHEAD_DAYS))


def is_short(last: date, today: date) -> bool:
    """Whether a roster that ends on `last` must be carried on."""
    return last < max(_end_of_month(today), today + timedelta(days=LEAST_AHEAD_DAYS))


def watches(register: Register, policy: Policy, first: date, last: date) -> list[Shift]:
    """Every watch of every unit that begins on these days, the same however often it is asked."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [
        shift
        for day in days
        for place, unit in enumerate(register.units)
        for shift in _watch(register, policy, unit, day, day.toordinal() + place)
    ]


def _watch(register: Register, policy: Policy, unit: Unit, day: date, turn: int) -> Iterator[Shift]:
    starts_at, ends_at = watch_span(day, policy.watch_changes_at, ZoneInfo(policy.timezone))
    needed = {need.post: need.count for need in required(policy.calendar.day_class(day))}
    constant = {phone.officer.id for phone in register.phones}
    officers = _rotated(register.duty_officers(unit), turn, constant)
    on_duty, rest = officers[: needed["duty_officer"]], officers[needed["duty_officer"] :]
    leaders = _rotated(register.leaders(unit), turn, constant)[: needed["duty_leader"]]
    acting = rest[: needed["duty_leader"] - len(leaders)]  # 双带班 in a unit with one leader.
    standby = rest[len(acting) :][:1]
    posts = (
        ("duty_leader", leaders, Presence.in_town),
        ("duty_leader", acting, Presence.on_site),
        ("duty_officer", on_duty, Presence.on_site),
        ("standby", standby, Presence.reachable),
    )
    for number, (post, people, presence) in enumerate(posts):
        for place, officer in enumerate(people):
            # Of two leaders the second is the one on site.
            nearness = Presence.on_site if post == "duty_leader" and place else presence
            shift_id = f"town-{day:%Y%m%d}-{unit.id}-{number}{place}"
            yield Shift(shift_id, unit.id, post, officer.id, starts_at, ends_at, nearness)


def _rotated(people: Sequence[Officer], turn: int, constant: set[str]) -> list[Officer]:
    """Whoever's turn it is first; those who never go off watch before everybody."""
    turned = [people[(turn + number) % len(people)] for number in range(len(people))]
    return sorted(turned, key=lambda officer: officer.id not in constant)


def _end_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
