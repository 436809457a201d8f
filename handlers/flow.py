"""The shape of a chat flow, and how the flows of this folder are found."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from desk.letters import reply
from desk.model import Inbound, Notice
from desk.ports import Desk
from incidents.intake import says_something
from incidents.telling import tells_of_event
from roster.model import Officer

Hear = Callable[[Desk, Inbound, Officer], Awaitable[None]]
LEADS = ("绑定",)  # Words besides commands that stand in front of an argument.
HearStranger = Callable[[Desk, Inbound], Awaitable[None]]
Wants = Callable[[Desk, Inbound, Officer], Awaitable[bool]]
IsAlike = Callable[[Inbound], bool]
HearAlike = Callable[[Desk, Sequence[tuple[Inbound, Officer]]], Awaitable[None]]


@dataclass(frozen=True)
class Flow:
    """One conversation: what starts it, and what hears it.

    A message goes to the flow named by its button verb, else by its command or exact word, else to the first flow
    (lowest rank) that wants it."""

    name: str
    hear: Hear
    commands: tuple[str, ...] = ()  # "/report" without the slash
    words: tuple[str, ...] = ()  # exact words that mean the same
    leads: tuple[str, ...] = ()  # words that something may follow: "绑定 CODE"
    verbs: tuple[str, ...] = ()  # button verbs
    wants: Wants | None = None
    rank: int = 100
    hear_stranger: HearStranger | None = (
        None  # For people the office does not know; None: one polite sentence.
    )
    is_alike: IsAlike | None = (
        None  # Surely for this flow, and heard at once with its like from other people.
    )
    hear_alike: HearAlike | None = None  # Hears those, one of each person.


def find_flows() -> list[Flow]:
    """Every flow in this folder, lowest rank first. Two flows that claim one command or verb are a fault."""
    package = importlib.import_module("handlers")
    flows = []
    for module in pkgutil.iter_modules(package.__path__, "handlers."):
        flow = getattr(importlib.import_module(module.name), "flow", None)
        if isinstance(flow, Flow):
            flows.append(flow)
    _refuse_doubles(flows)
    return sorted(flows, key=lambda flow: (flow.rank, flow.name))


def signs_of(flow: Flow) -> list[str]:
    """Everything that names this flow: its commands with the slash, its words, its verbs in brackets."""
    return [
        *(f"/{one}" for one in flow.commands),
        *flow.words,
        *flow.leads,
        *(f"[{one}]" for one in flow.verbs),
    ]


def split_command(message: Inbound) -> tuple[Inbound, Inbound | None]:
    """The command alone, and what else came with it when that tells of an event or is more than words.

    Whoever writes /mine and a cry for help after it is answered, and reported. Other words after a command that
    takes none are an aside: their sender is asked what they are."""
    first, *rest = message.text.split(maxsplit=1) or [""]
    is_start = message.kind == "start"
    words = message.text if is_start else rest[0] if rest else ""
    is_command = is_start or (message.kind in ("text", "media", "place") and first.startswith("/"))
    if not (is_command or first in LEADS):
        return message, None
    name = "" if is_start else _names(first)
    takes_code = is_start or first in LEADS or name == "/start"
    is_event, has_more = tells_of_event(words), bool(message.files or message.place)
    is_said = is_event or (says_something(words) and not takes_code)
    if not (is_said or has_more):
        return message, None
    code = "" if is_said else words  # A code may follow 绑定, and a picture come with it.
    kind = "start" if is_start else "text"
    alone = replace(message, kind=kind, text=f"{name} {code}".strip(), files=(), place=None)
    kind = "media" if message.files else "text" if is_event or has_more else "aside"
    return alone, replace(message, kind=kind, text=words if is_said else "")


def _names(first: str) -> str:
    """The command that a first word is: in a group it may carry the bot's name."""
    return first.partition("@")[0].lower()


def _refuse_doubles(flows: list[Flow]) -> None:
    claimed: dict[str, str] = {}
    for flow in flows:
        for sign in signs_of(flow):
            if sign in claimed:
                raise ValueError(f"flows {claimed[sign]} and {flow.name} both claim {sign}")
            claimed[sign] = flow.name


def say(desk: Desk, message: Inbound, officer: Officer, notice: Notice, *, subject: str = "") -> None:
    """Answer the sender where they wrote."""
    reply(desk, message, notice, officer_id=officer.id, subject=subject)
