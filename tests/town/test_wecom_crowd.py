"""A roll call to thousands on WeCom, through the whole desk: few calls, each person asked once, whatever WeCom says."""

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bot.channels.wecom.settings import WeComSettings
from desk import roll_calls
from desk.model import Letter, LetterState
from roster.model import Account, Officer, Role
from tests.fakes.wecom_model import Sent
from tests.fakes.wecom_server import FakeWeCom
from tests.town.wecom_town import WeComTown
from tests.town.world import UNIT, eventually

PEOPLE = 2_500
LONG_SECONDS = 60.0


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[WeComTown]:
    """An office of so many duty officers, bound already."""
    with FakeWeCom() as wecom:
        town = WeComTown(wecom, tmp_path)
        async with town.open_desk() as app:
            ids = [f"Member{number:04d}" for number in range(PEOPLE)]
            async with app.door.open() as desk:
                await desk.store.add_missing(UNIT)
                people = [Officer(f"o-{one}", one, UNIT.id, role=Role.duty, wecom=one) for one in ids]
                await desk.store.add(*people)
                ways = [Account(f"a-{one}", f"o-{one}", "wecom", one.lower(), desk.now) for one in ids]
                await desk.store.add(*ways)
            town.phones = {one: wecom.phone(one, one) for one in ids}
        async with (
            town.open_desk() as app
        ):  # It counts its members when it starts: a day's total depends on them.
            wanted = PEOPLE * WeComSettings.member_per_day
            await eventually(lambda: app.channels["wecom"].limits.in_total[0].messages == wanted)
            yield town


async def call_roll(town: WeComTown) -> None:
    async with town.app.door.open() as desk:
        plan = replace(desk.policy.roll_calls[0], posts=(), roles=(Role.duty,))
        assert await roll_calls.call(desk, plan, "manual-crowd") is not None


async def all_sent(town: WeComTown) -> bool:
    async with town.read() as store:
        return await store.count(Letter, kind=roll_calls.QUESTION, state=LetterState.sent) == PEOPLE


def asked(town: WeComTown) -> set[int]:
    """How many questions there are on a phone, over all phones."""
    return {sum("早点名" in one.text for one in phone.messages) for phone in town.phones.values()}


async def test_a_token_that_ends_between_the_calls_is_renewed_once_and_nobody_is_asked_twice(
    crowd: WeComTown,
) -> None:
    wecom = crowd.wecom
    await eventually(lambda: wecom.world.menu)  # What the start asks for is over.
    tokens = wecom.calls["gettoken"]

    def end_tokens(sent: Sent) -> None:
        if len(wecom.sends) == 1:
            wecom.revoke_tokens()

    wecom.world.on_send = end_tokens
    await call_roll(crowd)
    assert await eventually(partial(all_sent, crowd), LONG_SECONDS)
    assert sorted(len(one.reached) for one in wecom.sends) == [500, 1000, 1000]
    assert asked(crowd) == {1}
    assert wecom.calls["gettoken"] == tokens + 1


async def test_fault_13_a_call_refused_for_its_frequency_waits_and_the_roll_call_is_finished(
    crowd: WeComTown,
) -> None:
    wecom = crowd.wecom
    wecom.refuse_next("message/send", 45009)
    await call_roll(crowd)

    async def is_held() -> bool:
        async with crowd.read() as store:
            return await store.count(Letter, state=LetterState.queued, reason_has="45009") > 0

    assert await eventually(is_held, LONG_SECONDS)
    assert asked(crowd) != {1}
    made = wecom.calls["message/send"]
    for _ in range(5):
        await crowd.pass_minutes(0.1)
    assert wecom.calls["message/send"] <= made + 2  # What was on its way already; nobody hammers.
    await crowd.pass_minutes(1)
    assert await eventually(partial(all_sent, crowd), LONG_SECONDS)
    assert asked(crowd) == {1}
    assert wecom.calls["message/send"] == 4  # Three calls, one of them made again.
