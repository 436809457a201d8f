"""WeCom keeps the channel contract on the long connection, but for what its protocol cannot carry."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from desk.model import Card, Outcome, Rendered
from tests.bot.channels.contract import ChannelContract, Line, heard
from tests.bot.channels.wecom_bot_line import BotLine, open_line


class TestWeComLongConnection(ChannelContract):
    """Four promises read otherwise here: no location message exists, and a card changes only when it was pressed."""

    @pytest_asyncio.fixture
    async def line(self, tmp_path: Path) -> AsyncIterator[BotLine]:
        async with open_line(tmp_path) as line:
            yield line

    async def test_a_place_is_understood_as_it_was_sent(self, line: Line) -> None:
        """A township chosen from the lists reads like its name, typed."""
        assert isinstance(line, BotLine)
        await line.channel.send(Rendered("在哪里？", asks_place=True), [line.address], key="k1")
        line.person.choose({"where0": ["小榄镇".encode().hex()]})
        [said] = await heard(line, 1)
        assert (said.kind, said.text, said.place) == ("text", "小榄镇", None)

    async def test_a_place_off_the_globe_is_kept_in_words(self, line: Line) -> None:
        """Whatever a card says was chosen, it becomes words or nothing."""
        assert isinstance(line, BotLine)
        await line.channel.send(Rendered("在哪里？", asks_place=True), [line.address], key="k1")
        line.person.choose({"where0": ["none"]})
        await line.intake.raws(1)
        assert await heard(line, 1) == []

    async def test_an_amended_message_shows_the_new_words_and_buttons(self, line: Line) -> None:
        message = Rendered("点名", (("到岗", "present:01A"),))
        [receipt] = await line.channel.send(message, [line.address], key="k1")
        await line.press("到岗")
        await heard(line, 1)
        for _ in range(2):  # Amending to what is shown already is a success.
            [amended] = await line.channel.amend(
                Rendered("已记录 08:03"), [Card(line.address, receipt.remote_id)]
            )
            assert amended.outcome is Outcome.sent
        assert [(one.text, one.labels) for one in await line.shown()] == [("已记录 08:03", ())]
        [gone] = await line.channel.amend(Rendered("x"), [Card(line.address, "999999999")])
        assert gone.outcome is Outcome.refused and gone.reason

    async def test_many_cards_are_amended_with_one_receipt_each_in_order(self, line: Line) -> None:
        cards = []
        for number in range(2):
            message = Rendered(f"点名 {number}", (("到岗", f"present:01A{number}"),))
            [receipt] = await line.channel.send(message, [line.address], key=f"k{number}")
            await line.press("到岗")
            await heard(line, number + 1)
            cards.append(Card(line.address, receipt.remote_id))
        receipts = await line.channel.amend(Rendered("已记录 08:03"), cards)
        assert [receipt.outcome for receipt in receipts] == [Outcome.sent] * 2
        assert [one.text for one in await line.shown()] == ["已记录 08:03"] * 2
        assert await line.channel.amend(Rendered("x"), []) == []

    async def test_a_card_that_nobody_pressed_stays_and_says_so(self, line: Line) -> None:
        message = Rendered("点名", (("到岗", "present:01A"),))
        [receipt] = await line.channel.send(message, [line.address], key="k1")
        [amended] = await line.channel.amend(Rendered("点名已结束"), [Card(line.address, receipt.remote_id)])
        assert amended.outcome is Outcome.refused and "press" in amended.reason
        assert [one.text for one in await line.shown()] == ["点名"]
