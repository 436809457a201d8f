"""/help 帮助: what one can say, in one message; and the one polite sentence for a stranger."""

from datetime import timedelta

from desk.letters import reply
from desk.model import Inbound, Notice, Setting
from desk.ports import Desk
from handlers.flow import Flow, say
from roster.model import Officer


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """List the commands this person's role may use."""
    say(desk, message, officer, Notice("help", {"role": officer.role.value, "name": officer.name}))


async def hear_stranger(desk: Desk, message: Inbound) -> None:
    """One polite sentence an hour; what the stranger wrote is kept in the log for the office to see."""
    if not message.folded:  # A flood stays in the inbox alone.
        text = message.text[:500]
        desk.log("stranger_wrote", "desk", channel=message.channel, address=message.address, text=text)
    name = f"stranger/{message.channel}/{message.address}"
    told = await desk.store.get(Setting, name)
    if told is not None and told.value > (desk.now - timedelta(hours=1)).isoformat():
        return
    if told is None:
        await desk.store.add(Setting(name, desk.now.isoformat()))
    else:
        await desk.store.change(told, value=desk.now.isoformat())
    reply(desk, message, Notice("stranger", {"office": desk.policy.office}))


flow = Flow("help", hear, commands=("help",), words=("帮助", "?", "？"), hear_stranger=hear_stranger)
