"""While the platform is away nothing that comes in is refused, and what is owed goes out when it is back."""

from collections import Counter

import httpx

from bot.channels.webchat import make_link
from desk import roll_calls
from desk.model import Letter, LetterState
from incidents.model import Incident
from roster.model import Answer, Officer, Result
from tests.town.world import Town, eventually

REPORTS = 8


async def figures(town: Town) -> dict[str, float]:
    """What the desk tells its watcher."""
    async with httpx.AsyncClient(timeout=30) as client:
        told = (await client.get(f"{town.app.url}/metrics")).text
    lines = (line for line in told.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def report_on_the_page(town: Town, name: str) -> None:
    """Somebody with a web-chat link tells of many things meanwhile."""
    async with town.app.door.open() as desk:
        officer = await desk.store.get(Officer, f"o-{name}")
        assert officer is not None
        chat = f"{town.app.url}/chat/{await make_link(desk, officer)}"
    async with httpx.AsyncClient(timeout=30) as client:
        for number in range(REPORTS):
            told = {"event_id": f"event-{number:04}", "text": f"/report 地点：泰丰路{number}号，仓库起火"}
            assert (await client.post(f"{chat}/messages", json=told)).status_code == 200


async def test_fault_19_and_37_what_cannot_be_sent_waits_is_counted_and_arrives_once(town: Town) -> None:
    before = len(town.telegram.sends)
    town.telegram.offline()
    async with town.app.door.open() as desk:
        call = await roll_calls.call(desk, desk.policy.roll_calls[0], "manual-test")
    assert call is not None
    await report_on_the_page(town, "周国强")

    async def is_taken() -> bool:
        async with town.read() as store:
            return await store.count(Incident) == REPORTS

    assert await eventually(is_taken)
    async with town.read() as store:
        waiting = await store.count(Letter, state=LetterState.queued)
    told = await figures(town)
    assert told['muster_letters{state="queued"}'] >= waiting - 5 > 0
    assert told['muster_inbox{state="dead"}'] == 0
    assert len(town.telegram.sends) == before

    town.telegram.online()
    await town.pass_minutes(1)
    for name in ("李永昌", "简俊贤", "周国强", "吴健芬"):
        await town.press(name, await town.hears(name, "早点名"), "到岗")
    await town.hears("吴健芬", "签收", "火灾")

    async def is_over() -> bool:
        async with town.read() as store:
            return await store.count(Answer, result=Result.waiting) == 0

    assert await eventually(is_over)
    sent = town.telegram.sends[before:]
    asked = Counter(send.chat_id for send in sent if "前请应答" in send.text)
    assert set(asked.values()) == {1} and len(asked) == 4
    assert not [send.text for send in sent if "可能重复" in send.text]
