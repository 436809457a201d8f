"""Sending by WeCom: batches, cards, tokens, every error an outcome, and repeats that show nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from bot.channels.wecom import WeComChannel
from desk.model import Card, Outcome, Receipt, RemoteFile, Rendered
from desk.ports import ChannelFault, FetchFailed
from roster.model import Officer
from tests.bot.channels.contract import heard
from tests.bot.channels.wecom_line import QUICK, REFERENCE, WeComLine, open_line

CALL = Rendered("点名：请应答", (("到岗", "present:01A"), ("请假", "excused:01A")))


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[WeComLine]:
    async with open_line(tmp_path) as line:
        await line.until(lambda: line.fake.world.menu)  # What the start asks for is over.
        yield line


def has_more(line: WeComLine, method: str, calls: int) -> bool:
    """Whether a method was called again."""
    return line.fake.calls[method] > calls


async def amend(line: WeComLine, message: Rendered, address: str, remote_id: str) -> Receipt:
    """Change one card."""
    [receipt] = await line.channel.amend(message, [Card(address, remote_id)])
    return receipt


def outcomes(receipts: list[Receipt]) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


async def test_a_thousand_people_are_one_call_and_get_a_receipt_each(line: WeComLine) -> None:
    people = [line.fake.phone(f"Member{number}").id.lower() for number in range(1000)]
    receipts = await line.channel.send(CALL, people, key="k1")
    assert outcomes(receipts) == [Outcome.sent] * 1000 and len({one.remote_id for one in receipts}) == 1
    assert line.fake.calls["message/send"] == 1
    more = [line.fake.phone(f"More{number}").id.lower() for number in range(2)]
    await line.channel.send(CALL, [*people, *more], key="k2")
    assert [len(sent.reached) for sent in line.fake.sends[1:]] == [1000, 2]


async def test_fault_14_a_token_revoked_under_50_sends_is_renewed_once_and_nothing_is_sent_twice(
    tmp_path: Path,
) -> None:
    async with open_line(tmp_path, pace=replace(QUICK, answer_seconds=15)) as line:
        await line.until(lambda: line.fake.world.menu)
        await line.channel.send(Rendered("一"), [line.address], key="k")
        asked = line.fake.calls["gettoken"]
        line.fake.revoke_tokens()
        sends = [line.channel.send(Rendered(f"第{n}条"), [line.address], key=f"k{n}") for n in range(50)]
        receipts = [receipt for [receipt] in await asyncio.gather(*sends)]
        assert outcomes(receipts) == [Outcome.sent] * 50
        assert line.fake.calls["gettoken"] == asked + 1
        assert len(line.fake.sends) == 51


async def test_fault_14_a_token_that_ends_is_renewed_early_and_one_that_ended_at_once(
    line: WeComLine,
) -> None:
    await line.channel.send(Rendered("一"), [line.address], key="k1")
    asked = line.fake.calls["gettoken"]
    line.clock.ahead = timedelta(seconds=7200 - 299)
    await line.channel.send(Rendered("二"), [line.address], key="k2")
    assert line.fake.calls["gettoken"] == asked + 1
    line.fake.expire_tokens()
    [receipt] = await line.channel.send(Rendered("三"), [line.address], key="k3")
    assert receipt.outcome is Outcome.sent and line.fake.calls["gettoken"] == asked + 2


async def test_fault_14_a_token_refused_again_and_again_is_not_asked_for_for_ever(line: WeComLine) -> None:
    line.fake.refuse_next("message/send", 40014, times=2)
    asked = line.fake.calls["gettoken"]
    [receipt] = await line.channel.send(Rendered("一"), [line.address], key="k1")
    assert (receipt.outcome, receipt.whole_channel) == (Outcome.not_sent, True)
    assert line.fake.calls["gettoken"] <= asked + 1
    assert "secret" in await line.told("secret")
    await line.channel.send(Rendered("一"), [line.address], key="k1")
    assert await line.told("secret", over=True) == ""


async def test_fault_15_a_partial_failure_is_each_persons_own(line: WeComLine) -> None:
    line.fake.phone("Gone", status=5)
    line.fake.phone("Hidden", is_visible=False)
    line.fake.phone("Poor", is_licensed=False)
    to = ["gone", line.address, "POOR", "nobody", "hidden", "not/an/id"]
    receipts = await line.channel.send(CALL, to, key="k1")
    assert outcomes(receipts) == [Outcome.refused, Outcome.sent, *[Outcome.refused] * 4]
    assert [one.address_gone for one in receipts] == [True, False, False, True, True, False]
    assert [one.text for one in await line.shown()] == ["点名：请应答"]
    assert "poor" in await line.told("unlicensed")


async def test_fault_15_nobody_left_is_refused_for_everybody(line: WeComLine) -> None:
    receipts = await line.channel.send(CALL, ["gone", "nobody"], key="k1")
    assert [(one.outcome, one.address_gone) for one in receipts] == [(Outcome.refused, True)] * 2


# What the vendor says, what becomes of the letter, and how long everybody waits.
REFUSALS = {
    -1: (Outcome.not_sent, None),
    45009: (Outcome.not_sent, 60),
    45033: (Outcome.not_sent, 5),
    60020: (Outcome.not_sent, 30),
    48002: (Outcome.not_sent, 30),
    301002: (Outcome.not_sent, 30),
    81013: (Outcome.refused, None),
    60111: (Outcome.refused, None),
    40058: (Outcome.refused, None),
    44004: (Outcome.refused, None),
}


@pytest.mark.parametrize("code", REFUSALS)
async def test_fault_13_every_refusal_is_an_outcome_and_the_line_waits_as_long_as_it_must(
    line: WeComLine, code: int
) -> None:
    line.fake.refuse_next("message/send", code)
    [receipt] = await line.channel.send(Rendered("一"), [line.address], key="k1")
    assert (receipt.outcome, receipt.retry_after_seconds) == REFUSALS[code]
    assert str(code) in receipt.reason and receipt.whole_channel == (REFUSALS[code][1] is not None)
    [again] = await line.channel.send(Rendered("一"), [line.address], key="k1")
    assert again.outcome is Outcome.sent and len(await line.shown()) == 1


CURES = {
    60020: ("trusted_ip", "127.0.0.1"),
    48002: ("permission", "可见范围"),
    301002: ("agent", "AgentId"),
    45009: ("frequency", "45009"),
}


@pytest.mark.parametrize("code", CURES)
async def test_what_a_person_must_cure_is_on_the_board_until_it_is_cured(line: WeComLine, code: int) -> None:
    kind, word = CURES[code]
    line.fake.refuse_next("message/send", code)
    await line.channel.send(Rendered("一"), [line.address], key="k1")
    assert word in await line.told(kind)
    await line.channel.send(Rendered("一"), [line.address], key="k1")
    assert await line.told(kind, over=True) == ""


AFTER = (
    "timeout_after",
    "drop_after",
    "truncated_body",
    "half_json",
    "502_after",
    "drop",
    "timeout_before",
    "502",
)


@pytest.mark.parametrize("kind", AFTER)
async def test_fault_11_and_12_what_may_have_arrived_is_unknown_and_its_repeat_shows_once(
    line: WeComLine, kind: str
) -> None:
    line.fake.fail_next("message/send", kind)
    [receipt] = await line.channel.send(CALL, [line.address], key="k1")
    assert receipt.outcome is Outcome.unknown and receipt.reason
    for hours in (0, 1, 2, 3):
        line.fake.world.offset = hours * 3600 * 0.99
        [again] = await line.channel.send(CALL, [line.address], key="k1")
        assert again.outcome is Outcome.sent
    assert len(await line.shown()) == 1


async def test_fault_10_a_refused_connection_is_not_sent_and_told_when_it_lasts(tmp_path: Path) -> None:
    async with open_line(tmp_path) as line:
        await line.channel.send(Rendered("零"), [line.address], key="k0")
        line.fake.offline()
        for number in range(5):
            [receipt] = await line.channel.send(Rendered("一"), [line.address], key="k1")
            assert (receipt.outcome, receipt.retry_after_seconds) == (Outcome.not_sent, None), number
        assert "base_url" in await line.told("unreachable")
        line.fake.online()
        await line.channel.send(Rendered("一"), [line.address], key="k1")
        assert [one.text for one in await line.shown()] == ["零", "一"]


async def test_fault_10_no_token_means_nothing_was_sent(line: WeComLine) -> None:
    for kind in ("timeout_before", "half_json", "502"):
        line.fake.revoke_tokens()
        line.fake.fail_next("gettoken", kind)
        [receipt] = await line.channel.send(Rendered("一"), [line.address], key=f"k{kind}")
        assert receipt.outcome is Outcome.not_sent, kind
    assert line.fake.sends == []


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server in WeCom's place that says the same to everything; its address."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_redirect_is_never_followed(line: WeComLine) -> None:
    place = f"{line.fake.base_url}/cgi-bin/gettoken".encode()
    async with answering(b"302 Found\r\nLocation: " + place + b"\r\nContent-Length: 0\r\n\r\n") as url:
        astray = WeComChannel(replace(line.settings, base_url=url), line.services)
        asked = line.fake.calls["gettoken"]
        [receipt] = await astray.send(Rendered("一"), [line.address], key="k1")
        assert receipt.outcome is Outcome.not_sent and "base_url" in receipt.reason
        assert line.fake.calls["gettoken"] == asked
        await astray.close()


async def test_fault_27_every_answer_is_a_second_clock(line: WeComLine) -> None:
    told: list[str | None] = []
    date = "Fri, 27 Nov 2026 06:00:00 GMT"
    body = b'{"errcode": 45009, "errmsg": "x"}'
    head = f"200 OK\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with answering(head + body) as url:
        services = replace(line.services, told_time=told.append)
        channel = WeComChannel(replace(line.settings, base_url=url), services)
        await channel.send(Rendered("一"), [line.address], key="k1")
        await channel.close()
    assert told == [date]


async def test_two_intended_messages_of_the_same_words_both_arrive(line: WeComLine) -> None:
    for key in ("k1", "k2"):
        await line.channel.send(Rendered("请尽快应答"), [line.address], key=key)
        await line.channel.send(CALL, [line.address], key=f"c{key}")
    assert [one.text for one in await line.shown()] == ["请尽快应答", "点名：请应答"] * 2


async def test_a_text_keeps_within_2048_bytes_and_a_cut_is_seen(line: WeComLine) -> None:
    for text in ("急" * 5000, "🔥" * 310, "a" * 620, "急\n" * 310):
        await line.channel.send(Rendered(text), [line.address], key=text[:3])
    sizes = [len(sent.body["content"].encode()) for sent in line.fake.sends]
    assert max(sizes) <= 2048
    cut, *whole = await line.shown()
    assert cut.text.endswith("…（余下的请到值班台看）")
    assert [one.text for one in whole] == ["🔥" * 310, "a" * 620, "急\n" * 310]
    assert all(REFERENCE.search(sent.body["content"]) for sent in line.fake.sends)


async def test_a_long_page_is_a_text_and_a_card_with_its_buttons(line: WeComLine) -> None:
    page = "【特别重大】小榄镇 河边 起火\n" + "人员被困，请速处置。" * 30
    [receipt] = await line.channel.send(Rendered(page, (("签收", "sign:01A"),)), [line.address], key="k1")
    words, card = await line.shown()
    assert (receipt.outcome, words.text, words.labels) == (Outcome.sent, page, ())
    assert card.text.startswith("【特别重大】小榄镇 河边 起火") and card.labels == ("签收",)
    await line.press("签收")
    assert (await heard(line, 1))[0].message_id == receipt.remote_id


async def test_a_card_that_is_lost_after_its_text_is_made_up_for_without_the_text_twice(
    line: WeComLine,
) -> None:
    message = Rendered("长" * 300, (("签收", "sign:01A"),))
    line.fake.fail_next("message/send", "502", after=1)
    [receipt] = await line.channel.send(message, [line.address], key="k1")
    assert receipt.outcome is Outcome.unknown
    [again] = await line.channel.send(message, [line.address], key="k1")
    assert again.outcome is Outcome.sent and [one.labels for one in await line.shown()] == [(), ("签收",)]


async def test_more_than_six_choices_are_numbers_to_reply(line: WeComLine) -> None:
    many = tuple((f"同事{n}", f"to:{n}") for n in range(8))
    await line.channel.send(Rendered("转给谁", many), [line.address], key="k1")
    [shown] = await line.shown()
    assert shown.text.startswith("转给谁\n\n回复数字即可：\n1 同事0\n") and shown.labels == ()
    await line.say("3")
    [chosen] = await heard(line, 1)
    assert (chosen.kind, chosen.verb, chosen.ref) == ("choice", "to", "2")


async def test_in_plain_wechat_there_are_words_and_numbers_in_place_of_cards(tmp_path: Path) -> None:
    async with open_line(tmp_path, cards=False) as line:
        line.person.member.is_in_plugin = True
        [receipt] = await line.channel.send(CALL, [line.address], key="k1")
        assert (await line.shown())[0].text == "点名：请应答\n\n回复数字即可：\n1 到岗\n2 请假"
        changed = await amend(line, Rendered("已记录 08:03"), line.address, receipt.remote_id)
        assert changed.outcome is Outcome.sent
        assert [one.text for one in await line.shown()] == ["已记录 08:03"]  # The question is taken back.


async def test_a_list_of_many_people_stays_for_the_others_when_one_answers(tmp_path: Path) -> None:
    async with open_line(tmp_path, cards=False) as line:
        other = line.fake.phone("Other")
        receipts = await line.channel.send(CALL, [line.address, "other"], key="k1")
        await amend(line, Rendered("已记录"), line.address, receipts[0].remote_id)
        assert [len(line.person.messages), len(other.messages)] == [2, 1]


async def test_who_pressed_and_who_did_not_both_see_the_change(line: WeComLine) -> None:
    other = line.fake.phone("Other")
    first, second = await line.channel.send(CALL, [line.address, "other"], key="k1")
    await line.press("到岗")
    [pressed] = await heard(line, 1)
    await line.channel.settle(pressed.interaction, "已记录")
    for _ in range(2):
        mine = await amend(line, Rendered("已记录 08:03"), line.address, first.remote_id)
        assert mine.outcome is Outcome.sent
    theirs = await amend(line, Rendered("点名结束"), "other", second.remote_id)
    assert theirs.outcome is Outcome.sent
    assert [one.text for one in await line.shown()] == ["已记录 08:03"]
    assert [one.text for one in other.messages] == ["点名结束"]
    # The sending's own code is good once: the next change of a card nobody pressed is refused, and says so.
    late = await amend(line, Rendered("另一句"), "other", second.remote_id)
    assert late.outcome is Outcome.refused and "once" in late.reason


async def test_a_change_that_keeps_buttons_can_be_pressed_on(line: WeComLine) -> None:
    [receipt] = await line.channel.send(CALL, [line.address], key="k1")
    signed = Rendered("已签收", (("办结", "close:01A"), ("转办", "hand:01A")))
    await amend(line, signed, line.address, receipt.remote_id)
    await line.press("办结")
    [pressed] = await heard(line, 1)
    assert (pressed.verb, pressed.message_id) == ("close", receipt.remote_id)
    await amend(line, Rendered("已办结"), line.address, receipt.remote_id)
    assert (await line.shown())[0].text == "已办结"


async def test_one_answer_in_words_does_not_cost_a_crowd_its_one_change(line: WeComLine) -> None:
    people = [line.address, *(line.fake.phone(f"M{n}").id.lower() for n in range(40))]
    receipts = await line.channel.send(CALL, people, key="k1")
    one = await amend(line, Rendered("已记录"), line.address, receipts[0].remote_id)
    assert one.outcome is Outcome.refused
    asked = line.fake.calls["message/update_template_card"]
    await line.press("请假")
    await line.intake.raws(1)
    one = await amend(line, Rendered("已记录"), line.address, receipts[0].remote_id)
    assert one.outcome is Outcome.sent
    assert line.fake.calls["message/update_template_card"] == asked + 1


async def test_a_change_whose_outcome_is_unknown_is_told_as_that(line: WeComLine) -> None:
    [receipt] = await line.channel.send(CALL, [line.address], key="k1")
    line.fake.fail_next("message/update_template_card", "502")
    changed = await amend(line, Rendered("已记录"), line.address, receipt.remote_id)
    assert changed.outcome is Outcome.unknown
    changed = await amend(line, Rendered("已记录"), line.address, receipt.remote_id)
    assert changed.outcome is Outcome.sent


async def test_cards_and_codes_outlive_a_restart(tmp_path: Path) -> None:
    async with open_line(tmp_path) as line:
        [receipt] = await line.channel.send(CALL, [line.address], key="k1")
        line.channel = type(line.channel)(line.settings, line.services)
        changed = await amend(line, Rendered("已记录"), line.address, receipt.remote_id)
        assert changed.outcome is Outcome.sent
        await line.channel.close()


async def test_what_no_phone_can_press_any_more_is_forgotten(line: WeComLine) -> None:
    [receipt] = await line.channel.send(CALL, [line.address], key="k1")
    line.clock.ahead = timedelta(hours=73)
    changed = await amend(line, Rendered("已记录"), line.address, receipt.remote_id)
    assert changed.outcome is Outcome.refused
    await line.kept_empty()


async def test_fault_36_a_file_is_fetched_by_its_id_and_bounded(tmp_path: Path) -> None:
    async with open_line(tmp_path) as line:
        line.person.file(b"%PDF-1.7" + b"x" * 1000, "报告.pdf")
        [said] = await heard(line, 1)
        [file] = said.files
        assert (file.kind, file.file_name, file.bytes_count) == ("file", "报告.pdf", 1008)
        line.fake.fail_next("media/get", "502")
        with pytest.raises(FetchFailed) as failure:
            [piece async for piece in line.channel.fetch(file)]
        assert not failure.value.permanent
        line.fake.revoke_tokens()
        assert len(b"".join([piece async for piece in line.channel.fetch(file)])) == 1008
        line.fake.world.expire_media()
        with pytest.raises(FetchFailed) as failure:
            [piece async for piece in line.channel.fetch(file)]
        assert failure.value.permanent
        with pytest.raises(FetchFailed) as failure:
            [piece async for piece in line.channel.fetch(RemoteFile("file", "m", bytes_count=30_000_000))]
        assert failure.value.permanent


async def test_fault_36_a_file_without_end_is_given_up(
    line: WeComLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.person.video(b"x" * 3_000_000)
    [said] = await heard(line, 1)
    monkeypatch.setattr("bot.channels.wecom.files.BYTES_MAX", 1_000_000)
    with pytest.raises(FetchFailed, match="20 MB") as failure:
        [piece async for piece in line.channel.fetch(said.files[0])]
    assert failure.value.permanent


async def test_the_menu_is_set_once_and_again_only_when_it_differs(tmp_path: Path) -> None:
    async with open_line(tmp_path) as line:
        await line.until(lambda: line.fake.world.menu)
        names = [entry["name"] for entry in line.fake.world.menu["button"]]
        assert names == ["报送", "状态", "我的值班"]
        for count, language in enumerate(("zh-CN", "en", "en")):
            settings = line.settings.__class__(**{**line.settings.__dict__, "language": language})
            other = type(line.channel)(settings, line.services)
            task = asyncio.create_task(other.run(line.intake.take))
            asked = line.fake.calls["menu/get"]
            await line.until(partial(has_more, line, "menu/get", asked))
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await other.close()
            assert line.fake.calls["menu/create"] == (1 if count == 0 else 2)


async def test_check_names_the_application_and_each_fault_with_its_cure(tmp_path: Path) -> None:
    async with open_line(tmp_path) as line:
        await line.until(lambda: line.fake.world.menu)
        told = await line.channel.check()
        assert "点到" in told and "https://duty.test/channels/wecom/callback" in told
        for code, word in {60020: "可信IP，加上它", 48002: "可见范围", 40056: "AgentId", -1: "拒绝"}.items():
            line.fake.refuse_next("agent/get", code)
            with pytest.raises(ChannelFault, match=word):
                await line.channel.check()
        line.fake.offline()
        with pytest.raises(ChannelFault, match="base_url"):
            await line.channel.check()
        line.fake.online()
    async with open_line(tmp_path, secret="somebody-else") as line:
        with pytest.raises(ChannelFault, match="secret"):
            await line.channel.check()


async def test_input_62_no_token_and_no_secret_is_in_any_reason_or_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_line(tmp_path) as line:
        await line.channel.send(Rendered("一"), [line.address], key="k1")
        secrets = [line.settings.secret, line.settings.encoding_aes_key, *line.fake.world.tokens]
        for kind in ("drop", "half_json", "502"):
            line.fake.fail_next("message/send", kind)
            [receipt] = await line.channel.send(Rendered("一"), [line.address], key="k2")
            assert not any(secret in receipt.reason for secret in secrets)
        assert not any(secret in caplog.text for secret in secrets)
        assert not any(secret in repr(line.settings) for secret in secrets)


async def test_a_crowds_cards_are_changed_in_one_call(line: WeComLine) -> None:
    people = [line.fake.phone(f"M{n}").id.lower() for n in range(200)]
    receipts = await line.channel.send(CALL, people, key="k1")
    cards = [Card(one, receipt.remote_id) for one, receipt in zip(people, receipts, strict=True)]
    assert outcomes(await line.channel.amend(Rendered("点名结束"), cards)) == [Outcome.sent] * 200
    assert line.fake.calls["message/update_template_card"] == 1
    assert line.fake.phone("M7").last.text == "点名结束"


async def test_those_who_pressed_have_their_cards_changed_side_by_side(line: WeComLine) -> None:
    phones = [line.fake.phone(f"M{n}") for n in range(60)]
    people = [phone.id.lower() for phone in phones]
    receipts = await line.channel.send(CALL, people, key="k1")
    for phone in phones:
        phone.press("到岗")
    await line.intake.raws(60)
    line.fake.refuse_next("message/update_template_card", 45009)
    cards = [Card(one, receipt.remote_id) for one, receipt in zip(people, receipts, strict=True)]
    changed = outcomes(await line.channel.amend(Rendered("已记录 08:03"), cards))
    assert sorted(changed) == [Outcome.not_sent] + [Outcome.sent] * 59
    again = await line.channel.amend(
        Rendered("已记录 08:03"), cards
    )  # The code of the one that had to wait is good.
    assert outcomes(again) == [Outcome.sent] * 60
    assert line.fake.calls["message/update_template_card"] == 61
    assert {phone.last.text for phone in phones} == {"已记录 08:03"}


async def test_what_is_dropped_in_silence_is_stated_for_the_postman(line: WeComLine) -> None:
    limits, vendor = line.channel.limits, line.fake.limits
    assert (limits.batch_max, limits.hides_repeats) == (vendor.receivers_max, True)
    # A letter is at most two messages: a long text, and its card.
    assert [(2 * rate.messages, rate.seconds) for rate in limits.per_chat] == [
        (vendor.member_per_minute, 60),
        (vendor.member_per_hour, 3600),
    ]
    assert limits.in_total[0].messages % vendor.day_per_licensed_member == 0
    assert {0, 30} <= set(limits.busy_minutes)


async def test_a_repeat_keeps_the_code_that_the_first_was_given(line: WeComLine) -> None:
    await line.channel.send(CALL, [line.address], key="k1")
    [again] = await line.channel.send(CALL, [line.address], key="k1")
    assert again.outcome is Outcome.sent and len(line.fake.sends) == 1
    changed = await amend(line, Rendered("已记录"), line.address, again.remote_id)
    assert changed.outcome is Outcome.sent and (await line.shown())[0].text == "已记录"


async def test_a_missing_licence_is_told_until_it_is_bought(line: WeComLine) -> None:
    line.person.member.is_licensed = False
    await line.channel.send(Rendered("一"), [line.address], key="k1")
    assert line.address in await line.told("unlicensed")
    line.person.member.is_licensed = True
    await line.channel.send(Rendered("二"), [line.address], key="k2")
    assert await line.told("unlicensed", over=True) == ""


async def test_what_only_the_directory_refuses_is_not_told_as_a_fault_of_sending(tmp_path: Path) -> None:
    async with open_line(tmp_path) as line:
        line.fake.refuse_next("user/getuserid", 60011, times=1000)
        async with line.door.open() as desk:
            await desk.store.add(Officer("o2", "王五", "u1", phone="13800000006"))
        await line.until(lambda: line.fake.calls["user/getuserid"] > 1)
        assert line.troubles == []
