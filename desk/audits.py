"""Keeps what the auditor found: on the board while it lasts, told once when it begins and once when it ends."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from desk.invariants import DESK, OWN_NOTICE, Finding
from desk.letters import tell
from desk.model import Notice, Setting
from desk.ports import Desk, Store
from desk.recipients import duty_leaders
from desk.troubles import name_of
from roster.model import Account

AUDIT = "audit"  # The Setting that keeps the last audit.
TOLD_AFTER = 2  # Audits in a row: what mends itself within a minute wakes nobody.


@dataclass(frozen=True)
class Standing:
    """How one invariant stands: when it held last, for how many audits it has not, and why."""

    held_at: datetime | None
    failures: int = 0
    broken: str = ""


@dataclass(frozen=True)
class Audit:
    """The last audit: its moment, and how each invariant stood."""

    at: datetime
    standings: dict[str, Standing]

    @property
    def broken(self) -> list[str]:
        """The invariants that do not hold and were told of, by name."""
        return [name for name, one in self.standings.items() if one.failures >= TOLD_AFTER]


async def last_audit(store: Store) -> Audit | None:
    """What the auditor wrote down last; None before its first audit."""
    kept = await store.get(Setting, AUDIT)
    return _read(kept.value) if kept is not None else None


async def record(desk: Desk, findings: Iterable[Finding]) -> Audit:
    """Write an audit down, and tell the leaders what began and what is over."""
    kept = await desk.store.get(Setting, AUDIT)
    before = _read(kept.value).standings if kept is not None else {}
    standings: dict[str, Standing] = {}
    for finding in findings:
        was = before.get(finding.name, Standing(None))
        if finding.broken:
            standings[finding.name] = Standing(was.held_at, was.failures + 1, finding.broken)
            if was.failures + 1 >= TOLD_AFTER:
                await _begin(desk, finding)
        else:
            standings[finding.name] = Standing(desk.now)
            if was.failures or kept is None:
                await _end(desk, finding.name)
    audit = Audit(desk.now, standings)
    value = _written(audit)
    if kept is None:
        await desk.store.add(Setting(AUDIT, value))
    else:
        await desk.store.change(kept, value=value)
    return audit


async def _begin(desk: Desk, finding: Finding) -> None:
    trouble = Setting(name_of(DESK, finding.name), f"{desk.now.isoformat()} {finding.broken}")
    [is_new] = await desk.store.add_new(trouble)
    if is_new:
        desk.log("invariant_broken", DESK, what=finding.name, text=finding.broken)
        await _tell(desk, {"what": finding.name, "text": finding.broken, "at": desk.now.isoformat()})


async def _end(desk: Desk, name: str) -> None:
    trouble = await desk.store.get(Setting, name_of(DESK, name))
    if trouble is not None:
        await desk.store.remove(Setting, [trouble.id])
        desk.log("invariant_holds", DESK, what=name)
        await _tell(desk, {"what": name, "at": desk.now.isoformat(), "over": True})


async def _tell(desk: Desk, facts: dict[str, object]) -> None:
    """Whoever leads the watch, on every channel: one of them may be the very thing that is broken."""
    leaders = [one.id for one in await duty_leaders(desk)]
    for account in await desk.store.find(Account, officer_id_in=leaders, reachable=True) if leaders else ():
        tell(desk, account.officer_id, Notice(OWN_NOTICE, facts), subject=DESK, channels=(account.channel,))


def _written(audit: Audit) -> str:
    found = {
        name: [one.held_at.isoformat() if one.held_at else "", one.failures, one.broken]
        for name, one in audit.standings.items()
    }
    return json.dumps({"at": audit.at.isoformat(), "standings": found}, ensure_ascii=False)


def _read(value: str) -> Audit:
    found = json.loads(value)
    standings = {
        name: Standing(datetime.fromisoformat(held_at) if held_at else None, failures, broken)
        for name, (held_at, failures, broken) in found["standings"].items()
    }
    return Audit(datetime.fromisoformat(found["at"]), standings)
