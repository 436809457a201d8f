"""A restart in the middle of every flow: nothing is lost or doubled, and the flow goes on at its place.

The desk is stopped the moment after each step, whatever it was doing; kill -9 is tests/chaos."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from desk import roll_calls
from desk.enrolment import invite
from desk.model import Letter
from incidents.model import Attachment, AttachmentState, Incident, State
from roster.model import Account, Answer, Invite, Officer, Result, RollCall, RollCallState
from tests.fakes.telegram_server import FakeTelegram
from tests.town.conftest import PEOPLE
from tests.town.world import UNIT, MovedClock, Town, eventually


class Restarted:
    """A town whose desk is stopped and started again after one step of a flow."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._stack = AsyncExitStack()
        self.code = ""

    async def start(self) -> None:
        await self._stack.enter_async_context(self.town.open_desk())

    async def stop(self) -> None:
        await self._stack.aclose()

    async def play(self, steps: "Sequence[Step]", cut: int) -> None:
        """Every step in order; the desk begins anew after the one numbered `cut`."""
        for number, step in enumerate(steps):
            await step(self)
            if number == cut:
                await self.stop()
                await self.start()


Step = Callable[[Restarted], Awaitable[None]]


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Restarted]:
    with FakeTelegram() as telegram:
        restarted = Restarted(Town(telegram, tmp_path, "polling", MovedClock()))
        await restarted.start()
        await restarted.town.people(*PEOPLE)
        yield restarted
        await restarted.stop()


async def tells_with_a_photo(desk: Restarted) -> None:
    desk.town.phones["叶倩雯"].photo(caption="联丰路五金厂二楼起火，有浓烟")


async def sends_the_place(desk: Restarted) -> None:
    await desk.town.hears("叶倩雯", "位置")
    desk.town.phones["叶倩雯"].location(22.6741, 113.2402)


async def gets_the_number(desk: Restarted) -> None:
    await desk.town.hears("叶倩雯", "ZS-", "已报出")


async def the_duty_officer_is_asked(desk: Restarted) -> None:
    await desk.town.hears("吴健芬", "签收", "火灾")


REPORT: Sequence[Step] = (tells_with_a_photo, sends_the_place, gets_the_number, the_duty_officer_is_asked)


@pytest.mark.parametrize("cut", range(len(REPORT)))
async def test_a_report_goes_on_where_it_was(desk: Restarted, cut: int) -> None:
    await desk.play(REPORT, cut)

    async def stored() -> bool:
        async with desk.town.read() as store:
            return await store.count(Attachment, state=AttachmentState.stored) == 1

    assert await eventually(stored)
    async with desk.town.read() as store:
        [incident] = await store.find(Incident)
        pages = await store.find(Letter, kind="incident_page")
    assert incident.place is not None and incident.place.lat == 22.6741
    assert incident.state is State.received and [one.officer_id for one in pages] == ["o-吴健芬"]
    shown = [one.text for one in desk.town.phones["叶倩雯"].received if "已报出" in one.text]
    assert len(shown) == 1


async def the_roll_is_called(desk: Restarted) -> None:
    async with desk.town.app.door.open() as opened:
        await roll_calls.call(opened, opened.policy.roll_calls[0], "manual-test")


async def one_answers_by_button(desk: Restarted) -> None:
    await desk.town.press("吴健芬", await desk.town.hears("吴健芬", "早点名"), "到岗")


async def others_answer_in_words(desk: Restarted) -> None:
    for name in ("李永昌", "简俊贤"):
        await desk.town.hears(name, "早点名")
        desk.town.phones[name].say("到")


async def all_answers_are_in(desk: Restarted) -> None:
    async def are_in() -> bool:
        async with desk.town.read() as store:
            return await store.count(Answer, result=Result.present) == 3

    assert await eventually(are_in)


async def the_silent_is_nudged(desk: Restarted) -> None:
    await desk.town.hears("周国强", "早点名")
    await desk.town.pass_minutes(2.1)
    await desk.town.hears("周国强", "催答")


async def the_window_ends(desk: Restarted) -> None:
    await desk.town.pass_minutes(8)


ROLL_CALL: Sequence[Step] = (
    the_roll_is_called,
    one_answers_by_button,
    others_answer_in_words,
    all_answers_are_in,
    the_silent_is_nudged,
    the_window_ends,
)


@pytest.mark.parametrize("cut", range(len(ROLL_CALL)))
async def test_a_roll_call_goes_on_where_it_was(desk: Restarted, cut: int) -> None:
    await desk.play(ROLL_CALL, cut)
    await desk.town.hears("李永昌", "周国强", "未应答")
    await desk.town.hears("简俊贤", "应到")
    async with desk.town.read() as store:
        [call] = await store.find(RollCall)
        results = {one.officer_id: one.result for one in await store.find(Answer)}
    assert call.state is RollCallState.closed and call.counts is not None
    assert sum(call.counts.values()) == call.due_count == 4
    assert results.pop("o-周国强") is Result.no_answer and set(results.values()) == {Result.present}
    asked = [one for one in desk.town.telegram.sends if "前请应答" in one.text and "可能重复" not in one.text]
    assert len({one.chat_id for one in asked}) == len(asked) == 4, "each was asked once"


async def tells_all_at_once(desk: Restarted) -> None:
    desk.town.phones["叶倩雯"].say("地点：联丰路，五金厂二楼起火")


async def nobody_signs_for_three_minutes(desk: Restarted) -> None:
    await desk.town.hears("吴健芬", "签收", "火灾")
    await desk.town.pass_minutes(3)


async def the_leader_signs(desk: Restarted) -> None:
    await desk.town.press("李永昌", await desk.town.hears("李永昌", "无人签收"), "签收")


async def the_reporter_hears_who_has_it(desk: Restarted) -> None:
    await desk.town.hears("叶倩雯", "李永昌", "签收")


async def the_leader_closes_it(desk: Restarted) -> None:
    async with desk.town.read() as store:
        [incident] = await store.find(Incident)
    desk.town.phones["李永昌"].say(f"办结 {incident.number} 明火已扑灭")


ACKNOWLEDGE: Sequence[Step] = (
    tells_all_at_once,
    nobody_signs_for_three_minutes,
    the_leader_signs,
    the_reporter_hears_who_has_it,
    the_leader_closes_it,
)


@pytest.mark.parametrize("cut", range(len(ACKNOWLEDGE)))
async def test_an_acknowledgement_goes_on_where_it_was(desk: Restarted, cut: int) -> None:
    await desk.play(ACKNOWLEDGE, cut)
    await desk.town.hears("叶倩雯", "明火已扑灭")
    async with desk.town.read() as store:
        [incident] = await store.find(Incident)
        pages = await store.find(Letter, kind="incident_page")
    assert (incident.state, incident.signed_by) == (State.closed, "o-李永昌")
    assert sorted(page.officer_id for page in pages) == ["o-吴健芬", "o-李永昌"], "each was paged once"


async def a_code_is_made(desk: Restarted) -> None:
    async with desk.town.app.door.open() as opened:
        officer = Officer("o-新人", "新人", UNIT.id)
        await opened.store.add(officer)
        desk.code = await invite(opened, officer)


async def the_newcomer_presses_the_link(desk: Restarted) -> None:
    phone = desk.town.phones["新人"] = desk.town.telegram.phone(7100, "新人")
    phone.start(desk.code)


async def the_newcomer_presses_it_again(desk: Restarted) -> None:
    desk.town.phones["新人"].start(desk.code)


async def the_newcomer_asks_who_is_on_watch(desk: Restarted) -> None:
    await desk.town.hears("新人", "绑定")
    desk.town.phones["新人"].say("值班")


ENROL: Sequence[Step] = (
    a_code_is_made,
    the_newcomer_presses_the_link,
    the_newcomer_presses_it_again,
    the_newcomer_asks_who_is_on_watch,
)


@pytest.mark.parametrize("cut", range(len(ENROL)))
async def test_an_enrolment_goes_on_where_it_was(desk: Restarted, cut: int) -> None:
    await desk.play(ENROL, cut)
    await desk.town.hears("新人", "在岗", "吴健芬")
    async with desk.town.read() as store:
        accounts = await store.find(Account, officer_id="o-新人")
        [code] = await store.find(Invite, officer_id="o-新人")
    assert [one.address for one in accounts] == ["7100"] and code.used_at is not None
