"""要情: the facts sum, the office reads them, and what is hours late is only logged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from desk import bulletins, timetables
from desk.policy import BulletinPlan
from tests.handlers.chat import NIGHT, POLICY, Chat, open_chat
from tests.handlers.roll_calls import call

DAILY = POLICY.bulletins[0]
FIVE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)  # 17:00 in Zhongshan.


async def a_day(chat: Chat) -> None:
    """One closed, one signed and one unsigned incident; one roll call with two silent."""
    for name, text in (
        ("陈村", "地点：泰丰路，仓库起火，死亡1人"),
        ("马同", "地点：联丰路，两车相撞，3人受伤"),
        ("郭东", "地点：兴中道，食物中毒，情况不明"),
    ):
        await chat[name].say(text)
    await chat["邓值"].say("签收 ZS-20261124-001")
    await chat["邓值"].say("办结 ZS-20261124-001 已扑灭")
    await chat["邓值"].say("签收 ZS-20261124-002")
    await call(chat)
    for name in ("邓值", "李领", "简局"):
        await chat[name].say("到")
    await chat.pass_minutes(12)


async def test_every_figure_of_the_day_sums(chat: Chat) -> None:
    await a_day(chat)
    chat.clock.at = FIVE
    async with chat.desk() as desk:
        told = await bulletins.slot_fell_due(desk, DAILY, FIVE)
    assert [one.name for one in told] == ["欧办"]
    facts = (await chat.letters("bulletin_daily"))[0].facts
    assert facts["opened"] == 3 == sum(facts["by_severity"].values()) == sum(facts["by_category"].values())
    assert (facts["closed"], facts["still_open"], facts["unsigned"]) == (1, 2, 1)
    assert facts["opened"] == facts["closed"] + facts["still_open"]
    assert (facts["roll_calls"], facts["due"]) == (1, 5)
    assert sum(facts["counts"].values()) == facts["due"]
    assert facts["casualties"]["deaths"] == 1
    assert len(facts["incidents"]) == 3 and len(facts["open_incidents"]) == 2
    assert chat["欧办"].saw("每日要情", "接报 3 件")


async def test_what_came_after_the_slot_is_in_the_next_one(chat: Chat) -> None:
    chat.clock.at = FIVE
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    async with chat.desk() as desk:
        summary = await bulletins.summarise(desk, "daily", FIVE)
        following = await bulletins.summarise(desk, "daily", FIVE + timedelta(days=1))
    assert (summary.opened_count, following.opened_count) == (0, 1)


async def test_a_quiet_day_is_a_zero_report_and_an_open_incident_makes_it_none(chat: Chat) -> None:
    zero = BulletinPlan("零报告", "30 16 * * *", ("role:office",), "zero_report")
    chat.clock.at = FIVE
    async with chat.desk() as desk:
        await bulletins.slot_fell_due(desk, zero, FIVE)
    assert (await chat.letters("zero_report"))[0].facts["is_zero"] is True
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    await chat.pass_minutes(24 * 60)
    async with chat.desk() as desk:
        await bulletins.slot_fell_due(desk, zero, chat.clock.now())
    newest = (await chat.find(type((await chat.letters("zero_report"))[0]), kind="zero_report"))[-1]
    assert newest.facts["is_zero"] is False


async def test_up_to_three_hours_late_it_is_sent_and_later_only_logged(chat: Chat) -> None:
    for minutes, sent in ((180, True), (180.1, False)):
        chat.clock.at = FIVE + timedelta(minutes=minutes)
        async with chat.desk() as desk:
            told = await bulletins.slot_fell_due(desk, DAILY, FIVE)
        assert bool(told) is sent
    assert len(await chat.logged("bulletin_missed")) == 1


async def test_of_several_missed_bulletins_the_newest_is_sent_and_the_others_named_in_the_log() -> None:
    async with open_chat() as chat:
        chat.clock.at = FIVE
        slots = [FIVE - timedelta(days=day) for day in (2, 1, 0)]
        async with chat.desk() as desk:
            await timetables.push_bulletins(desk, DAILY, slots)
        assert len(await chat.letters("bulletin_daily")) == 1
        assert [facts["slot"] for facts in await chat.logged("bulletin_missed")] == [
            slot.isoformat() for slot in slots[:2]
        ]


async def test_the_scheduler_sends_each_bulletin_once(chat: Chat) -> None:
    chat.clock.at = NIGHT
    await chat.scheduler.look()
    for seconds in (0, 20, 40, 3600):
        chat.clock.at = FIVE + timedelta(seconds=seconds)
        await chat.scheduler.look()
        await chat.settle()
    assert len(await chat.letters("bulletin_daily")) == 1


async def test_fault_42_a_bulletin_that_means_nobody_goes_to_who_leads_the_watch(chat: Chat) -> None:
    await chat.change_officer("欧办", active=False)
    chat.clock.at = FIVE
    async with chat.desk() as desk:
        told = await bulletins.slot_fell_due(desk, replace(DAILY, to=("role:office", "post:none")), FIVE)
    assert [one.name for one in told] == ["简局"]
