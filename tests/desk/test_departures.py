"""Taking somebody out of the office works at once, names what they held, and can be undone by somebody."""

import pytest

from desk import departures
from desk.departures import Refused
from desk.enrolment import LEFT, invite
from desk.model import Lane, Letter, LetterState, Session
from desk.permissions import NotAllowed
from incidents.model import Incident, LogLine
from roster.model import Account, Invite, Officer
from tests.handlers.chat import Chat


async def keeper(chat: Chat, officer_id: str = "o-欧办") -> Officer:
    found = next(one for one in await chat.find(Officer) if one.id == officer_id)
    return found


async def test_who_is_taken_out_is_told_nothing_more_and_counts_as_a_stranger(chat: Chat) -> None:
    async with chat.door.open() as desk:
        now = desk.now
        ends = now.replace(year=now.year + 1)
        await desk.store.add(Session("s1", "o-陈村", "desk", now, now, ends))
        await desk.store.add(Session("s2", "o-陈村", "chat", now, now, ends))
        await desk.store.add(Invite("i1", "o-陈村", now, ends))
        await departures.deactivate(desk, "o-陈村", await keeper(chat))
    assert all(one.ended for one in await chat.find(Session))
    assert [one.used_by for one in await chat.find(Invite)] == [LEFT]
    accounts = [one for one in await chat.find(Account) if one.officer_id == "o-陈村"]
    assert accounts and all(not one.reachable and one.fault == LEFT for one in accounts)
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    assert "绑定" in chat["陈村"].last.text and await chat.find(Incident) == []
    accounts = [one for one in await chat.find(Account) if one.officer_id == "o-陈村"]
    assert not any(one.reachable for one in accounts), "a word from the old phone opens no way back"


async def test_open_incidents_and_watches_are_named_to_the_leader_and_the_log(chat: Chat) -> None:
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    number = (await chat.incident()).number
    await chat["邓值"].say(f"签收 {number}")
    async with chat.door.open() as desk:
        await departures.deactivate(desk, "o-邓值", await keeper(chat))
    await chat.settle()
    told = [one for one in await chat.find(Letter) if one.kind == "officer_left"]
    assert told and all(one.facts["incidents"] == [number] and one.facts["watches"] >= 1 for one in told)
    assert "o-邓值" not in {one.officer_id for one in told}
    [line] = [
        one for one in await chat.find(LogLine, order=("sequence",)) if one.kind == "officer_deactivated"
    ]
    assert (line.actor, line.subject) == ("o-欧办", "officer:o-邓值")


async def test_a_watch_of_who_was_taken_out_is_a_gap(chat: Chat) -> None:
    await chat["欧办"].say("值班")
    assert "邓值" in chat["欧办"].last.text
    async with chat.door.open() as desk:
        await departures.deactivate(desk, "o-邓值", await keeper(chat))
    await chat["欧办"].say("值班")
    assert "邓值" not in chat["欧办"].last.text and "空岗" in chat["欧办"].last.text


async def test_letters_that_wait_for_them_are_cancelled(chat: Chat) -> None:
    async with chat.door.open() as desk:
        letter = Letter("l1", "help", {}, (), Lane.urgent, desk.now, officer_id="o-陈村")
        await desk.store.add(letter)
        await departures.deactivate(desk, "o-陈村", await keeper(chat))
    [letter] = [one for one in await chat.find(Letter) if one.id == "l1"]
    assert (letter.state, letter.reason) == (LetterState.cancelled, LEFT)


async def test_only_the_office_does_it_and_never_to_the_last_who_could_undo_it(chat: Chat) -> None:
    async with chat.door.open() as desk:
        with pytest.raises(NotAllowed):
            await departures.deactivate(desk, "o-陈村", await keeper(chat, "o-邓值"))
        with pytest.raises(Refused, match="own"):
            await departures.deactivate(desk, "o-欧办", await keeper(chat))
        with pytest.raises(Refused, match="nobody"):
            await departures.revoke_links(desk, "o-none", None)
        keepers = [one for one in await desk.store.find(Officer) if one.role in departures.KEEPERS]
        for one in keepers[:-1]:
            await departures.deactivate(desk, one.id, None)
        with pytest.raises(Refused, match="last"):
            await departures.deactivate(desk, keepers[-1].id, None)


async def test_who_comes_back_binds_a_phone_anew(chat: Chat) -> None:
    async with chat.door.open() as desk:
        by = await keeper(chat)
        await departures.deactivate(desk, "o-陈村", by)
        await departures.reactivate(desk, "o-陈村", by)
        await departures.reactivate(desk, "o-陈村", by)  # Twice is harmless.
    await chat["陈村"].say("状态")
    assert await chat.told("陈村") == [] and "绑定" in chat["陈村"].last.text
    async with chat.door.open() as desk:
        officer = await desk.store.get(Officer, "o-陈村")
        assert officer is not None
        code = await invite(desk, officer)
    await chat["陈村"].say(f"绑定 {code}")
    await chat["陈村"].say("状态")
    assert (await chat.told("陈村"))[-1] == "status"
