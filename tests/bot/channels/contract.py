"""What every channel promises, as tests: a subclass of `ChannelContract` gives a fixture `line`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pytest

from desk.model import Card, Inbound, Outcome, RemoteFile, Rendered
from desk.ports import Channel, Desk, FetchFailed
from tests.fakes.telegram_media import SMALL_JPEG

NONSENSE = [
    b"",
    b"\x00\xff\xfe",
    b"null",
    b"5",
    b'"x"',
    b"[]",
    b"{}",
    b"NaN",
    b'{"update_id": {}, "message": []}',
    b"[" * 100_000,
    b'{"update_id": 1' + b"1" * 5000 + b"}",
]


class KeptIntake:
    """Keeps events as the inbox does: once each, in order, all or nothing; refuses while `is_down`."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, bytes]] = {}
        self.settings: dict[str, str] = {}
        self.is_down = False
        self.refused = 0
        self.deliveries = 0
        self._changed = asyncio.Event()

    async def take(self, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        await self._keep(channel, [(event_id, sender, raw)])

    async def take_with(self, desk: Desk, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        await self.take(channel, event_id, sender, raw)

    async def take_batch(
        self, channel: str, events: Sequence[tuple[str, str, bytes]], setting: tuple[str, str]
    ) -> None:
        await self._keep(channel, events)
        self.settings[setting[0]] = setting[1]

    async def setting(self, name: str) -> str:
        if self.is_down:
            raise OSError("disk I/O error")
        return self.settings.get(name, "")

    async def _keep(self, channel: str, events: Sequence[tuple[str, str, bytes]]) -> None:
        await asyncio.sleep(0)
        self._changed.set()
        if self.is_down:
            self.refused += 1
            raise OSError("no space left on device")
        for event_id, sender, raw in events:
            self.deliveries += 1
            self.rows.setdefault(f"{channel}/{event_id}", (sender, raw))

    async def until(self, condition: Callable[[], bool], seconds: float = 5) -> None:
        """Wait for a condition that changes when something is taken or refused."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                if not condition():
                    await self._changed.wait()

    async def raws(self, count: int) -> list[bytes]:
        """What was kept, when it is at least so many."""
        await self.until(lambda: len(self.rows) >= count)
        return [raw for _, raw in self.rows.values()]


@dataclass(frozen=True)
class Shown:
    """One message of ours on the phone."""

    text: str
    labels: tuple[str, ...] = ()


class Line(Protocol):
    """A running channel and one person's phone; `say` and the like only do what the person does."""

    intake: KeptIntake
    address: str

    @property
    def channel(self) -> Channel:
        """The channel, receiving."""
        ...

    async def say(self, text: str) -> None:
        """The person writes; a phone that is not told ok goes on trying."""
        ...

    async def photo(self, content: bytes, caption: str) -> None:
        """The person sends a photo."""
        ...

    async def place(self, lat: float, lon: float) -> None:
        """The person sends a place."""
        ...

    async def press(self, label: str) -> None:
        """The person presses a button of our newest message that has it."""
        ...

    async def deliver_again(self) -> None:
        """The platform brings the person's last event once more."""
        ...

    async def shown(self) -> list[Shown]:
        """Our messages as the phone shows them now, oldest first."""
        ...

    async def leave(self) -> None:
        """The person is not to be reached any more."""
        ...


async def heard(line: Line, count: int) -> list[Inbound]:
    """What was stored, understood."""
    found = [line.channel.parse(raw) for raw in await line.intake.raws(count)]
    return [inbound for inbound in found if inbound is not None]


class ChannelContract:
    """The promises. `line` has one person, who said nothing yet."""

    captions = True  # The platform's photos carry words; elsewhere they are a message of their own.
    datum = "wgs84"  # What the platform's places are told in.

    async def test_what_a_person_says_is_stored_and_understood(self, line: Line) -> None:
        await line.say("小榄镇 河边 起火")
        [said] = await heard(line, 1)
        assert (said.kind, said.text, said.address) == ("text", "小榄镇 河边 起火", line.address)
        assert (said.channel, said.private, said.edited) == (line.channel.name, True, False)
        assert f"{said.channel}/{said.event_id}" in line.intake.rows

    async def test_fault_1_nothing_is_confirmed_before_it_is_stored(self, line: Line) -> None:
        line.intake.is_down = True
        saying = asyncio.create_task(line.say("起火"))
        await line.intake.until(lambda: line.intake.refused >= 2)
        assert line.intake.rows == {}
        line.intake.is_down = False
        [said] = await heard(line, 1)
        await saying
        assert said.text == "起火"

    async def test_fault_7_the_same_event_twice_is_one_row(self, line: Line) -> None:
        await line.say("起火")
        await line.intake.raws(1)
        await line.deliver_again()
        await line.intake.until(lambda: line.intake.deliveries >= 2)
        await line.say("二")
        assert [said.text for said in await heard(line, 2)] == ["起火", "二"]

    async def test_one_persons_messages_keep_their_order(self, line: Line) -> None:
        for number in range(8):
            await line.say(f"第{number}句")
        assert [said.text for said in await heard(line, 8)] == [f"第{n}句" for n in range(8)]
        assert len({sender for sender, _ in line.intake.rows.values()}) == 1

    async def test_a_photo_is_understood_and_its_bytes_are_fetched(self, line: Line) -> None:
        await line.photo(SMALL_JPEG, "桥头冒烟")
        said = await heard(line, 1 if self.captions else 2)
        assert [one.kind for one in said] == (["media"] if self.captions else ["media", "text"])
        assert "".join(one.text for one in said) == "桥头冒烟"
        [photo] = said[0].files
        fetched = b"".join([piece async for piece in line.channel.fetch(photo)])
        assert photo.kind == "photo" and fetched.startswith(b"\xff\xd8")
        assert photo.bytes_count in (len(fetched), None)  # Not every platform tells it.

    async def test_a_file_nobody_holds_is_a_permanent_failure(self, line: Line) -> None:
        with pytest.raises(FetchFailed) as failure:
            async for _ in line.channel.fetch(RemoteFile("photo", "0" * 64)):
                pass
        assert failure.value.permanent

    async def test_a_place_is_understood_as_it_was_sent(self, line: Line) -> None:
        await line.place(22.5171, 113.3927)
        [said] = await heard(line, 1)
        assert said.kind == "place" and said.place is not None
        assert (said.place.lat, said.place.lon) == pytest.approx((22.5171, 113.3927), abs=1e-7)
        assert said.place.datum == self.datum

    async def test_a_place_off_the_globe_is_kept_in_words(self, line: Line) -> None:
        await line.place(91.0, 113.3927)
        [said] = await heard(line, 1)
        assert said.place is not None
        assert (said.place.lat, said.place.lon) == (None, None) and "91" in said.place.text

    async def test_a_message_arrives_with_its_buttons_and_one_receipt_each(self, line: Line) -> None:
        message = Rendered("<b>点名</b> *_[ 请应答", (("到岗", "present:01A"), ("有情况", "trouble:01A")))
        receipts = await line.channel.send(message, [line.address], key="k1")
        assert [receipt.outcome for receipt in receipts] == [Outcome.sent] and receipts[0].remote_id
        assert await line.shown() == [Shown("<b>点名</b> *_[ 请应答", ("到岗", "有情况"))]
        assert await line.channel.send(message, [], key="k2") == []

    async def test_a_text_of_the_greatest_length_arrives_whole(self, line: Line) -> None:
        text = "急" * min(line.channel.limits.text_max, 20_000)
        [receipt] = await line.channel.send(Rendered(text), [line.address], key="k1")
        assert (receipt.outcome, (await line.shown())[-1].text) == (Outcome.sent, text)

    async def test_a_pressed_button_says_what_and_on_which_message(self, line: Line) -> None:
        message = Rendered("点名", (("到岗", "present:01ARZ3"), ("请假", "excused:01ARZ3")))
        [receipt] = await line.channel.send(message, [line.address], key="k1")
        await line.press("到岗")
        [pressed] = await heard(line, 1)
        assert (pressed.kind, pressed.verb, pressed.ref) == ("choice", "present", "01ARZ3")
        assert (pressed.message_id, pressed.address) == (receipt.remote_id, line.address)
        await line.channel.settle(pressed.interaction, "已记录")
        await line.channel.settle("nobody-knows-this", "已记录")

    async def test_an_amended_message_shows_the_new_words_and_buttons(self, line: Line) -> None:
        message = Rendered("点名", (("到岗", "present:01A"),))
        [receipt] = await line.channel.send(message, [line.address], key="k1")
        card = Card(line.address, receipt.remote_id)
        for _ in range(2):  # Amending to what is shown already is a success.
            [amended] = await line.channel.amend(Rendered("已记录 08:03"), [card])
            assert amended.outcome is Outcome.sent
        assert await line.shown() == [Shown("已记录 08:03")]
        [gone] = await line.channel.amend(Rendered("x"), [Card(line.address, "999999999")])
        assert gone.outcome is Outcome.refused and gone.reason

    async def test_many_cards_are_amended_with_one_receipt_each_in_order(self, line: Line) -> None:
        cards = []
        for number in range(min(2, line.channel.limits.batch_max)):
            message = Rendered(f"点名 {number}", (("到岗", f"present:01A{number}"),))
            [receipt] = await line.channel.send(message, [line.address], key=f"k{number}")
            cards.append(Card(line.address, receipt.remote_id))
        receipts = await line.channel.amend(Rendered("已记录 08:03"), cards)
        assert [receipt.outcome for receipt in receipts] == [Outcome.sent] * len(cards)
        assert await line.shown() == [Shown("已记录 08:03")] * len(cards)
        assert await line.channel.amend(Rendered("x"), []) == []

    async def test_fault_16_a_person_out_of_reach_is_refused_for_good(self, line: Line) -> None:
        await line.leave()
        [receipt] = await line.channel.send(Rendered("点名"), [line.address], key="k1")
        assert receipt.outcome is Outcome.refused and receipt.reason
        [nobody] = await line.channel.send(Rendered("点名"), ["no such address"], key="k2")
        assert nobody.outcome is Outcome.refused

    @pytest.mark.parametrize("raw", NONSENSE, ids=lambda raw: repr(raw[:20]))
    async def test_nonsense_is_a_value_error_and_nothing_else(self, line: Line, raw: bytes) -> None:
        with pytest.raises(ValueError, match=r"."):
            line.channel.parse(raw)

    async def test_the_limits_are_data(self, line: Line) -> None:
        limits = line.channel.limits
        assert limits.text_max >= 600 and limits.batch_max >= 1 and limits.choices_max >= 3
        assert limits.file_bytes_max >= 10 * 1024 * 1024

    async def test_check_says_in_one_line_that_all_is_well(self, line: Line) -> None:
        told = await line.channel.check()
        assert told and "\n" not in told
