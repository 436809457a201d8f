"""The town's register: its units, its invented people and the four phones of the page, read from `data/`."""

import csv
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from roster.model import Officer, Role, RollCallPlan, Unit

DATA = Path(__file__).parent / "data"
_ROLES = {
    "信息员": Role.officer,
    "值班员": Role.duty,
    "带班领导": Role.leader,
    "应急办": Role.office,
    "admin": Role.admin,
}
_OFFICE_LEADER = "主任"  # Everybody of the office has the role 应急办; the title says who leads.


@dataclass(frozen=True)
class Phone:
    """One of the four phones on the page: what its holder is to the town, and who."""

    role: str
    officer: Officer


@dataclass(frozen=True)
class Register:
    """Everybody and every unit, in the order of the files."""

    units: tuple[Unit, ...]
    people: tuple[Officer, ...]
    phones: tuple[Phone, ...]
    roll_call: RollCallPlan  # What 立即点名 calls.

    @property
    def village_phone(self) -> Phone:
        """The phone that reports the fires: the information officer's."""
        return next(phone for phone in self.phones if phone.officer.role is Role.officer)

    @property
    def office_phone(self) -> Phone:
        """The phone of the emergency office."""
        return next(phone for phone in self.phones if phone.officer.role is Role.office)

    def leaders(self, unit: Unit) -> list[Officer]:
        """Who may lead a unit's watch."""
        return [one for one in self.people if one.unit_id == unit.id and _leads(one)]

    def duty_officers(self, unit: Unit) -> list[Officer]:
        """Who keeps a unit's watch."""
        people = [one for one in self.people if one.unit_id == unit.id and not _leads(one)]
        return [one for one in people if one.role in (Role.duty, Role.office)]


@cache
def read_register() -> Register:
    """The register as the files have it."""
    units = tuple(_unit(number, row) for number, row in enumerate(read_table("units.toml")["unit"]))
    ids = {unit.name: unit.id for unit in units}
    rows = csv.DictReader((DATA / "people.csv").read_text("utf-8").splitlines())
    people = tuple(_officer(row, ids[row["单位"]]) for row in rows)
    by_name = {one.name: one for one in people}
    play = read_table("play.toml")
    phones = tuple(Phone(row["role"], by_name[row["name"]]) for row in play["phone"])
    asked = play["roll_call"]
    plan = RollCallPlan(
        asked["name"],
        posts=tuple(asked["posts"]),
        units=tuple(asked["units"]),
        roles=tuple(asked["roles"]),
        on_time_minutes=asked["on_time_minutes"],
        answer_window_minutes=asked["answer_window_minutes"],
        remind_after_minutes=tuple(asked["remind_after_minutes"]),
    )
    return Register(units, people, phones, plan)


@cache
def read_table(name: str) -> dict[str, Any]:
    """One of the town's files in TOML."""
    return tomllib.loads((DATA / name).read_text("utf-8"))


def _unit(number: int, row: dict[str, Any]) -> Unit:
    return Unit(
        id=f"u{number:02d}",
        name=row["name"],
        parent_id="u00" if row["parent"] else None,  # The office stands first and above all.
        kind=row["kind"],
        lat=row["lat"],
        lon=row["lon"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )


def _officer(row: dict[str, str], unit_id: str) -> Officer:
    return Officer(
        id=f"o{row['手机'][-4:]}",
        name=row["姓名"],
        unit_id=unit_id,
        phone=row["手机"],
        title=row["职务"],
        role=_ROLES[row["角色"]],
    )


def _leads(officer: Officer) -> bool:
    is_office_leader = officer.role is Role.office and officer.title.endswith(_OFFICE_LEADER)
    return officer.role is Role.leader or is_office_leader
