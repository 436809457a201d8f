"""The reporting clocks warn at half and speak 超时 at the end, once, to whoever must act."""

from dataclasses import replace

from desk import acknowledgements, escalations
from desk.reports import correct_level
from incidents.model import Incident, Severity
from tests.handlers.chat import POLICY, Chat, open_chat

FIRE = "地点：泰丰路，五金厂二楼起火"


async def fire(chat: Chat, text: str = FIRE) -> Incident:
    await chat["陈村"].say(text)
    return await chat.newest()


async def spoken(chat: Chat, state: str) -> list[tuple[str, str]]:
    return [(facts["clock"], facts["from"]) for facts in await chat.logged(f"clock_{state}")]


async def test_both_clocks_warn_at_half_and_speak_at_the_end(chat: Chat) -> None:
    await fire(chat)  # 一般: telephone 30, written 60 minutes.
    await chat["邓值"].say("签收")
    for minutes, warned, overdue in ((14.9, 0, 0), (0.1, 1, 0), (14.9, 1, 0), (0.1, 2, 1), (30, 2, 2)):
        await chat.pass_minutes(minutes)
        assert (len(await spoken(chat, "warn")), len(await spoken(chat, "overdue"))) == (warned, overdue)
    assert await spoken(chat, "warn") == [("phone", "received"), ("written", "received")]
    assert await spoken(chat, "overdue") == [("phone", "received"), ("written", "received")]


async def test_the_holder_is_warned_and_at_the_end_the_leader_hears_it_too(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat.pass_minutes(15)
    assert chat["邓值"].saw("时限过半") and not chat["李领"].saw("时限过半")
    await chat.pass_minutes(15)
    assert chat["邓值"].saw("超时", "电话报告") and chat["李领"].saw("超时", "电话报告")


async def test_unsigned_whoever_was_asked_is_warned(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(15)
    assert all(chat[name].saw("时限过半") for name in ("邓值", "李领", "欧办"))


async def test_a_clock_that_was_stopped_says_nothing_more(chat: Chat) -> None:
    incident = await fire(chat)
    await chat["邓值"].say("签收")
    async with chat.desk() as desk:
        await acknowledgements.mark_told(desk, incident.id, await chat.officer("邓值"), "phone")
    await chat.pass_minutes(60)
    assert ("phone", "received") not in await spoken(chat, "overdue")
    assert ("written", "received") in await spoken(chat, "overdue")


async def test_a_clock_stopped_twice_keeps_its_first_moment(chat: Chat) -> None:
    incident = await fire(chat)
    await chat["邓值"].say("签收")
    for _ in range(2):
        await chat.pass_minutes(5)
        async with chat.desk() as desk:
            await acknowledgements.mark_told(desk, incident.id, await chat.officer("邓值"), "phone")
    done = (await chat.incident()).phone_done_at
    assert done is not None and (done - incident.received_at).total_seconds() // 60 == 5
    assert len(await chat.logged("clock_done")) == 1


async def test_the_clock_from_the_event_runs_beside_the_one_from_the_report(chat: Chat) -> None:
    await fire(chat, "地点：泰丰路，今天凌晨2点40分仓库起火")  # 20 minutes ago; 30 are allowed.
    await chat["邓值"].say("签收")
    await chat.pass_minutes(10)
    assert await spoken(chat, "overdue") == [("phone", "occurred")]
    assert chat["李领"].saw("超时", "事发")


async def test_what_was_over_before_anybody_heard_is_said_after_the_page_and_not_before(
    chat: Chat,
) -> None:
    await fire(chat, "地点：泰丰路，今天凌晨1点整仓库起火")
    assert "签收" in chat["邓值"].shown[0].text
    assert await spoken(chat, "overdue") == []
    await chat.pass_minutes(1)
    assert {("phone", "occurred"), ("written", "occurred")} <= set(await spoken(chat, "overdue"))


async def test_a_level_raised_by_a_person_finds_its_shorter_clocks_at_once(chat: Chat) -> None:
    incident = await fire(chat)
    await chat["邓值"].say("签收")
    await chat.pass_minutes(14)
    async with chat.desk() as desk:
        await correct_level(desk, incident.id, await chat.officer("李领"), Severity.serious)
    await chat.pass_minutes(1)  # 重大: by telephone within 15 minutes.
    assert ("phone", "received") in await spoken(chat, "overdue")


async def test_the_next_follow_up_is_owed_and_chased(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat.pass_minutes(120)
    assert ("follow_up", "last_report") in await spoken(chat, "warn")
    await chat["陈村"].reply(chat["陈村"].card("正在核实").id, "火势已控制")
    await chat.pass_minutes(239)
    assert ("follow_up", "last_report") not in await spoken(chat, "overdue")
    await chat.pass_minutes(1)
    assert ("follow_up", "last_report") in await spoken(chat, "overdue")


async def test_each_word_is_said_once_however_often_the_work_is_done(chat: Chat) -> None:
    incident = await fire(chat)
    await chat["邓值"].say("签收")
    await chat.pass_minutes(30)
    before = len(chat["邓值"].shown)
    for _ in range(5):
        async with chat.desk() as desk:
            await escalations.clock_fell_due(desk, incident.id)
    assert len(chat["邓值"].shown) == before


async def test_after_a_long_stop_only_the_end_is_spoken(chat: Chat) -> None:
    await fire(chat)
    await chat["邓值"].say("签收")
    await chat.advance(minutes=31)
    assert ("phone", "received") in await spoken(chat, "overdue")
    assert ("phone", "received") not in await spoken(chat, "warn")


async def test_an_ended_incident_s_clocks_are_silent(chat: Chat) -> None:
    incident = await fire(chat)
    await chat["邓值"].say("签收")
    await chat["邓值"].say(f"办结 {incident.number} 误报")
    await chat.pass_minutes(600)
    assert await spoken(chat, "warn") == [] and await spoken(chat, "overdue") == []


async def test_a_sensitive_event_has_the_shorter_clock(chat: Chat) -> None:
    incident = await fire(chat, "地点：中心小学，学校门口起火")
    assert incident.sensitive
    await chat.pass_minutes(20)
    assert ("phone", "received") in await spoken(chat, "overdue")


async def test_a_faster_clock_shortens_every_office_minute() -> None:
    async with open_chat(replace(POLICY)) as chat:
        await chat.door.set_pace(60)
        await fire(chat)
        await chat.pass_minutes(0.5)
        assert ("phone", "received") in await spoken(chat, "overdue")
        assert (await chat.paged())[:3] == ["邓值", "李领", "欧办"]
