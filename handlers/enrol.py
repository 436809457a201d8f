"""/start CODE 绑定: a one-time code ties this chat to an officer."""

from desk.enrolment import enrol
from desk.letters import reply
from desk.model import Inbound, Notice
from desk.ports import Desk
from handlers.flow import Flow, say
from handlers.help import hear_stranger as greet
from roster.model import Officer


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """Somebody bound already presses start again: a code is tried, otherwise they are greeted."""
    if code_of(message):
        await hear_stranger(desk, message)
    else:
        say(
            desk, message, officer, Notice("welcome_back", {"name": officer.name, "role": officer.role.value})
        )


async def hear_stranger(desk: Desk, message: Inbound) -> None:
    """Try the code; without one, say how to get one."""
    code = code_of(message)
    if not code:
        await greet(desk, message)
        return
    enrolled = await enrol(desk, message, code)
    if enrolled.officer is None:
        reply(desk, message, Notice("enrolment_refused", {"why": enrolled.refused}))
        return
    officer = enrolled.officer
    facts = {"name": officer.name, "role": officer.role.value, "office": desk.policy.office}
    reply(desk, message, Notice("enrolled", facts), officer_id=officer.id)


def code_of(message: Inbound) -> str:
    """The code in a deep-link start, "/start CODE" or "绑定 CODE"."""
    if message.kind == "start":
        return message.text.strip()
    for word in ("/start", "绑定"):
        if message.text.startswith(word):
            return message.text[len(word) :].strip()
    return ""


flow = Flow("enrol", hear, commands=("start",), leads=("绑定",), hear_stranger=hear_stranger)
