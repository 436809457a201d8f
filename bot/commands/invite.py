"""`invite`: one-time codes and links that tie a person's phone to their name."""

import asyncio
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import segno
import typer

from bot.commands.office import Office, open_office
from bot.commands.telegram_name import ask_bot_name
from bot.commands.terminal import Invocation, Stop, complain, help_text, invocation, say, show
from bot.config.faults import nearest
from desk.enrolment import invite as make_code
from desk.ports import Desk, Store
from roster.model import Account, Officer, Unit
from web.settings import is_loopback

QR_PEOPLE_MAX = 3  # More in a terminal only scroll by; --json has them all.


@dataclass(frozen=True)
class Invitation:
    """What one person needs, told once."""

    officer: Officer
    unit: str
    code: str
    expires_at: str
    telegram: str = ""  # Deep link.
    webchat: str = ""  # Personal link.

    @property
    def best(self) -> str:
        """The link a QR code shows."""
        return self.telegram or self.webchat


def invite(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help=help_text("names"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=help_text("json"))] = False,
) -> None:
    """Make one-time enrolment codes and links."""
    call = invocation(context)
    invitations = asyncio.run(_invite(call, names or []))
    config = call.config
    if any(one.webchat for one in invitations) and is_loopback(urlsplit(config.public_url).hostname or ""):
        complain(call.say("links_only_here", url=config.public_url))
    if as_json:
        show(json.dumps([_as_json(one) for one in invitations], ensure_ascii=False, indent=2))
        return
    if not invitations:
        show(call.say("nobody_to_invite"))
    for one in invitations:
        _show(call, one, has_qr=len(invitations) <= QR_PEOPLE_MAX)


async def _invite(call: Invocation, names: Sequence[str]) -> list[Invitation]:
    config = call.config
    bot, trouble = await ask_bot_name(config)
    if trouble:
        complain(call.say("bot_unknown", reason=trouble), secrets=config.secrets)
    async with open_office(config) as office, office.door.open() as desk:
        units = {unit.id: unit.name for unit in await desk.store.find(Unit)}
        people = await find_people(desk.store, names, config.office.language, units)
        return [await _invitation(office, desk, one, units.get(one.unit_id, ""), bot) for one in people]


async def find_people(
    store: Store, names: Sequence[str], language: str, units: dict[str, str], *, active: bool = True
) -> list[Officer]:
    """The active officers (or those taken out) meant by names, NAME@UNIT or ids; without names, all out of reach.

    Raises Stop with a sentence for every name that means nobody, or more than one."""
    known = await store.find(Officer, order=("unit_id", "name"), active=active)
    if not names:
        reached = {one.officer_id for one in await store.find(Account, reachable=True)}
        return [one for one in known if one.id not in reached]
    found: list[Officer] = []
    faults: list[str] = []
    for name in dict.fromkeys(names):
        person, _, unit = name.partition("@")
        meant = [
            one
            for one in known
            if one.id == name or (one.name == person and (not unit or units.get(one.unit_id) == unit))
        ]
        if len(meant) == 1:
            found += meant
        elif meant:
            choices = ", ".join(f"{one.name}@{units.get(one.unit_id, one.unit_id)}" for one in meant)
            faults.append(say(language, "two_people", name=name, choices=choices))
        else:
            like = nearest(person, [one.name for one in known])
            hint = say(language, "hint", word=like) if like else ""
            faults.append(say(language, "no_person", name=name, hint=hint))
    if faults:
        raise Stop("\n".join(faults))
    return list(dict.fromkeys(found))


async def _invitation(office: Office, desk: Desk, officer: Officer, unit: str, bot: str) -> Invitation:
    config = office.config
    code = await make_code(desk, officer)
    expires_at = desk.now + timedelta(hours=config.limits.invite_hours)
    link = ""
    if config.webchat.enabled:
        from bot.channels.webchat.links import make_link  # The web chat takes a while to load.

        token = await make_link(desk, officer, days=config.webchat.link_days)
        link = f"{config.public_url}/chat/{token}"
    deep_link = f"https://t.me/{bot}?start={code}" if bot else ""
    return Invitation(officer, unit, code, expires_at.isoformat(timespec="seconds"), deep_link, link)


def _as_json(one: Invitation) -> dict[str, Any]:
    links = {"telegram": one.telegram, "webchat": one.webchat}
    return {
        "officer_id": one.officer.id,
        "name": one.officer.name,
        "unit": one.unit,
        "code": one.code,
        "expires_at": one.expires_at,
        **links,
        "qr": {name: segno.make(link, micro=False).svg_data_uri() for name, link in links.items() if link},
    }


def _show(call: Invocation, one: Invitation, *, has_qr: bool) -> None:
    hours = f"{call.config.limits.invite_hours:g}"
    apps = [call.say(f"app_{name}") for name in call.config.live_channels]
    facts = {"name": one.officer.name, "unit": one.unit, "code": one.code, "hours": hours}
    kind = "invited" if apps else "invited_web_only" if one.webchat else "invited_nowhere"
    show(call.say(kind, **facts, apps=call.say("or").join(apps)))
    if one.telegram:
        show(call.say("invited_telegram", link=one.telegram))
    if one.webchat:
        show(call.say("invited_webchat", link=one.webchat, days=f"{call.config.webchat.link_days:g}"))
    if has_qr and one.best:
        drawn = io.StringIO()
        segno.make(one.best, micro=False).terminal(drawn, compact=True)
        show(drawn.getvalue())
