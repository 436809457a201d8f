"""What the desk asked a person last, so that their next plain words are the answer, even after a restart."""

from datetime import datetime

from desk.model import Setting
from desk.ports import Desk

KEPT_MINUTES = 10.0  # Office minutes: whoever answers later says what the answer is about.


async def ask(desk: Desk, officer_id: str, what: str, ref: str) -> None:
    """The next plain words of this officer answer this question; only the last question counts."""
    name, value = _name(officer_id), f"{desk.now.isoformat()} {what} {ref}"
    kept = await desk.store.get(Setting, name)
    if kept is None:
        await desk.store.add(Setting(name, value))
    else:
        await desk.store.change(kept, value=value)


async def asked(desk: Desk, officer_id: str, what: str) -> str:
    """What the open question of this sort speaks of, or ""."""
    kept = await desk.store.get(Setting, _name(officer_id))
    if kept is None:
        return ""
    at, kind, ref = kept.value.split(" ", 2)
    is_fresh = desk.now - datetime.fromisoformat(at) <= desk.minutes(KEPT_MINUTES)
    return ref if is_fresh and kind == what else ""


async def answered(desk: Desk, officer_id: str) -> None:
    """The question was answered, or nobody waits for the answer any more."""
    await desk.store.remove(Setting, [_name(officer_id)])


def _name(officer_id: str) -> str:
    return f"asked/{officer_id}"
