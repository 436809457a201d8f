"""Small marks are forgotten once nobody can look for them again, every night, and never before."""

from datetime import timedelta

from desk import pruning
from desk.model import Job, Setting
from incidents.model import Incident
from tests.handlers.chat import Chat


async def kept(chat: Chat, family: str) -> list[str]:
    return [one.id for one in await chat.find(Setting) if one.id.startswith(f"{family}/")]


async def begin(chat: Chat) -> None:
    async with chat.door.open() as desk:
        pruning.schedule(desk)


async def test_a_question_and_a_closed_incident_s_clocks_are_forgotten_after_a_week(chat: Chat) -> None:
    await begin(chat)
    await chat["陈村"].say("地点：泰丰路，仓库起火")
    number = (await chat.the(Incident)).number
    await chat["邓值"].say(f"签收 {number}")
    await chat["邓值"].say(f"办结 {number}")  # Asks for the outcome, which nobody tells.
    await chat.pass_minutes(24 * 60)
    assert await kept(chat, "clock") and await kept(chat, "asked")
    await chat.pass_minutes(8 * 24 * 60)
    assert await kept(chat, "asked") == []
    assert await kept(chat, "clock"), "the incident is still open"
    await chat["邓值"].say(f"办结 {number} 已扑灭")
    await chat.pass_minutes(6 * 24 * 60)
    assert await kept(chat, "clock")
    await chat.pass_minutes(3 * 24 * 60)
    assert await kept(chat, "clock") == []


async def test_many_marks_go_page_by_page_and_the_next_night_is_put_once(chat: Chat) -> None:
    async with chat.door.open() as desk:
        old, new = (desk.now - timedelta(days=days) for days in (9, 1))
        count = pruning.PAGE * 2 + 5
        await desk.store.add(
            *(Setting(f"stranger/t/{number:04}", old.isoformat()) for number in range(count)),
            Setting("stranger/t/new", new.isoformat()),
            Setting("start/t/old", f"3 {old.isoformat()}"),
            Setting("passcode/nobody", "2"),
            Setting("pace", "1.0"),
            Setting("said/t/a/1", "d1"),
        )
    await begin(chat)
    await begin(chat)
    assert len([one for one in await chat.find(Job) if one.kind == "prune"]) == 1
    await chat.pass_minutes(24 * 60)
    left = {one.id for one in await chat.find(Setting)}
    assert {"stranger/t/new", "pace", "said/t/a/1"} <= left
    assert not {"start/t/old", "passcode/nobody"} & left and len(await kept(chat, "stranger")) == 1
    [again] = [one for one in await chat.find(Job) if one.kind == "prune"]
    assert again.due_at > chat.clock.now()


async def test_words_after_a_command_are_forgotten_a_week_after_nobody_pressed(chat: Chat) -> None:
    await begin(chat)
    await chat["陈村"].say("/status 三楼那边不太对劲")
    await chat.pass_minutes(24 * 60)
    assert await kept(chat, "aside")
    await chat.pass_minutes(8 * 24 * 60)
    assert await kept(chat, "aside") == []
