"""WeCom's callbacks: what is genuine is stored before the empty 200, whatever is not hears one same 403."""

import asyncio
import base64
import json
import logging
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from wechatpy.enterprise.crypto import WeChatCrypto  # type: ignore[import-untyped]  # It ships no types.

from bot import gcj02
from desk.model import Inbound, Rendered
from tests.bot.channels.contract import heard
from tests.bot.channels.wecom_line import WeComLine, open_line
from tests.fakes.wecom_crypto import as_xml

TEXT = "小榄镇 河边 起火"


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[WeComLine]:
    async with open_line(tmp_path) as line:
        yield line


class Outsider:
    """Posts what the vendor would never send, and remembers every answer."""

    def __init__(self, line: WeComLine) -> None:
        self.line = line
        self.seal = line.fake.world.seal

    async def post(self, body: bytes, query: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=10) as client:
            return await client.post(f"{self.line.fake.callback_url}?{query}", content=body)

    async def plain(self, xml: str | bytes, *, at: float | None = None, corp: str = "") -> httpx.Response:
        """A message sealed and signed as the vendor does."""
        encrypted = self.seal.encrypt(xml, corp or None)
        return await self.sealed(encrypted, at=at)

    async def sealed(self, encrypted: str, *, at: float | None = None) -> httpx.Response:
        """A cipher text with a true signature."""
        moment = self.line.clock.now().timestamp() if at is None else at
        body = self.seal.envelope(encrypted, self.line.settings.agent_id)
        return await self.post(body, self.seal.query(encrypted, moment))

    def message(self, **more: Any) -> str:
        """The XML of a text of the person's."""
        head = {
            "ToUserName": self.line.settings.corp_id,
            "FromUserName": "LiXiaoMei",
            "CreateTime": 1764000000,
        }
        return as_xml({**head, "MsgType": "text", "Content": TEXT, "MsgId": 4211, **more})


def is_refused(answer: httpx.Response) -> bool:
    """The one same answer."""
    return (answer.status_code, answer.content) == (403, b"")


def wechatpy_for(line: WeComLine) -> Any:
    """The independent peer, with the office's own keys."""
    settings = line.settings
    return WeChatCrypto(settings.callback_token, settings.encoding_aes_key, settings.corp_id)


async def test_the_console_can_verify_the_address(line: WeComLine) -> None:
    assert await line.fake.verify_callback() == ""


async def test_input_36_an_echo_that_is_not_the_vendors_is_not_echoed(line: WeComLine) -> None:
    outsider = Outsider(line)
    foreign = outsider.seal.encrypt("12345", "wwsomebodyelse00001")
    now = line.clock.now().timestamp()
    queries = [
        outsider.seal.query("hello", now, echostr="hello"),  # Well signed, and no cipher text.
        outsider.seal.query(foreign, now, echostr=foreign),
        outsider.seal.query(outsider.seal.encrypt("1"), now, echostr=outsider.seal.encrypt("1")),
        "echostr=hello",
        "",
    ]
    async with httpx.AsyncClient() as client:
        for query in queries:
            assert is_refused(await client.get(f"{line.fake.callback_url}?{query}"))


@pytest.mark.parametrize("kind", ["text", "location"])
async def test_a_callback_made_by_wechatpy_is_understood(line: WeComLine, kind: str) -> None:
    lat, lon = gcj02.to_gcj02(22.5171, 113.3927)
    fields = {"Content": TEXT} if kind == "text" else {"Location_X": lat, "Location_Y": lon, "Label": "河边"}
    outsider = Outsider(line)
    nonce, timestamp = "1372623149", str(int(line.clock.now().timestamp()))
    sealed = wechatpy_for(line).encrypt_message(outsider.message(MsgType=kind, **fields), nonce, timestamp)
    found = sealed.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    query = f"msg_signature={found}&timestamp={timestamp}&nonce={nonce}"
    answer = await outsider.post(sealed.encode(), query)
    assert (answer.status_code, answer.content) == (200, b"")
    [said] = await heard(line, 1)
    if kind == "text":
        assert (said.kind, said.text, said.address) == ("text", TEXT, "lixiaomei")
    else:
        assert said.place is not None and said.place.text == "河边"
        assert (said.place.lat, said.place.lon) == pytest.approx((22.5171, 113.3927), abs=1e-6)
        assert (said.place.original_lat, said.place.original_lon, said.place.datum) == (lat, lon, "gcj02")


async def test_input_31_a_wrong_signature_is_refused_before_anything_is_parsed(line: WeComLine) -> None:
    outsider = Outsider(line)
    encrypted = outsider.seal.encrypt(outsider.message())
    good = outsider.seal.query(encrypted, line.clock.now().timestamp())
    body = outsider.seal.envelope(encrypted, line.settings.agent_id)
    bomb = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + body.replace(b"</xml>", b"&b;</xml>")
    assert is_refused(await outsider.post(bomb, good.replace("nonce=", "nonce=9")))
    assert is_refused(await outsider.post(body, good.replace("msg_signature=", "msg_signature=0")))
    assert is_refused(await outsider.post(body, "msg_signature=&timestamp=&nonce="))
    assert line.intake.rows == {}
    # The outer XML is no one's to parse: with the true signature its rubbish is not even looked at.
    assert (await outsider.post(bomb, good)).status_code == 200


async def test_input_32_another_corporations_message_is_refused(line: WeComLine) -> None:
    outsider = Outsider(line)
    assert is_refused(await outsider.plain(outsider.message(), corp="wwsomebodyelse00001"))
    assert is_refused(await outsider.plain(outsider.message(), corp=line.settings.corp_id + "x"))
    assert line.intake.rows == {}


def ciphered(line: WeComLine, plain: bytes) -> str:
    """Bytes as they are, under the office's key: what only a careless or evil vendor would send."""
    key = base64.b64decode(line.settings.encoding_aes_key + "=")
    closing = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(closing.update(plain) + closing.finalize()).decode()


async def test_input_33_a_broken_cipher_text_hears_the_same_403_whatever_is_broken(line: WeComLine) -> None:
    outsider, xml = Outsider(line), Outsider(line).message().encode()
    length, corp = len(xml).to_bytes(4, "big"), line.settings.corp_id.encode()

    def padded(plain: bytes, count: int | None = None) -> bytes:
        fill = 32 - len(plain) % 32
        return plain + bytes([fill if count is None else count]) * fill

    whole = secrets.token_bytes(16) + length + xml + corp
    assert (await outsider.sealed(ciphered(line, padded(whole)))).status_code == 200
    broken = {
        "base64": "AAA",
        "not by 16": base64.b64encode(b"x" * 33).decode(),
        "empty": "=",
        "padding of 0": ciphered(line, padded(whole, 0)),
        "padding of 33": ciphered(line, padded(whole, 33)),
        "torn padding": ciphered(line, padded(whole)[:-2] + b"\x01\x07"),
        "length 0xFFFFFFFF": ciphered(line, padded(whole[:16] + b"\xff" * 4 + xml + corp)),
        "length of one more": ciphered(
            line, padded(whole[:16] + (len(xml) + 1).to_bytes(4, "big") + xml + corp)
        ),
        "no length": ciphered(line, padded(b"x" * 10)),
        "nothing but padding": ciphered(line, padded(b"")),
    }
    for name, encrypted in broken.items():
        assert is_refused(await outsider.sealed(encrypted)), name
    none = b"<xml><AgentID>1</AgentID></xml>"
    two = outsider.seal.envelope("QUFB", 1) * 2
    for body in (none, two, b"", b"\x00\xff", b"{}"):
        assert is_refused(await outsider.post(body, outsider.seal.query("QUFB", 0)))
    assert len(line.intake.rows) == 1


async def test_input_34_an_exact_replay_after_an_hour_hears_200_is_flagged_and_does_nothing(
    line: WeComLine,
) -> None:
    await line.channel.send(Rendered("点名", (("到岗", "present:01A"),)), [line.address], key="k1")
    await line.press("到岗")
    [pressed] = await heard(line, 1)
    push = line.last
    assert push is not None and not pressed.stale
    line.clock.ahead = timedelta(hours=1)
    line.fake.advance(3600)
    again = line.fake.replay(push)
    await line.until(lambda: again.is_answered)
    assert (again.outcomes, len(line.intake.rows)) == ([200], 1)
    await line.say("还在")
    assert (await heard(line, 2))[-1].text == "还在"
    assert line.troubles == []


async def test_an_old_message_is_kept_and_flagged_and_presses_nothing(line: WeComLine) -> None:
    outsider = Outsider(line)
    now = line.clock.now().timestamp()
    for number, age in enumerate((590, 610, 86_400)):
        assert (await outsider.plain(outsider.message(MsgId=number + 1), at=now - age)).status_code == 200
    assert [said.stale for said in await heard(line, 3)] == [False, True, True]
    assert "本机时钟" in await line.told("clock")
    await line.say("刚刚")
    assert await line.told("clock", over=True) == ""


async def test_input_35_the_same_number_with_other_words_keeps_the_first_and_is_told(line: WeComLine) -> None:
    outsider = Outsider(line)
    await outsider.plain(outsider.message())
    assert (await outsider.plain(outsider.message(Content="没有火"))).status_code == 200
    assert [said.text for said in await heard(line, 1)] == [TEXT]
    told = await line.told("twice")
    assert "4211" in told and "没有火" not in told


ENTITIES = {
    37: '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><xml><MsgType>&x;</MsgType></xml>',
    38: '<!DOCTYPE a [<!ENTITY x "哈哈"><!ENTITY y "&x;&x;">]><xml><MsgType>&y;</MsgType></xml>',
}


@pytest.mark.parametrize("row", ENTITIES)
async def test_input_37_and_38_a_doctype_or_an_entity_is_refused_even_when_well_signed(
    line: WeComLine, row: int
) -> None:
    outsider = Outsider(line)
    quadratic = f'<!DOCTYPE a [<!ENTITY x "{"哈" * 20_000}">]><xml><C>{"&x;" * 2_000}</C></xml>'
    external = '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/evil.dtd"><xml><MsgType>text</MsgType></xml>'
    for xml in (ENTITIES[row], quadratic, external):
        assert is_refused(await outsider.plain(xml))
    assert line.intake.rows == {}


async def test_a_refusal_is_one_line_of_the_log_without_content(
    line: WeComLine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    spoils = ("bit", "corp", "padding", "signature", "entity", "body")
    for how in spoils:
        push = line.person.spoil(TEXT, how)
        await line.until(partial(getattr, push, "is_lost"), seconds=20)
        assert set(push.outcomes) <= {403, "refused"} and push.outcomes[-1] == 403, how
    lines = [record for record in caplog.records if "callback was refused" in record.getMessage()]
    assert len(lines) == line.channel.callback.refused >= len(spoils)
    assert TEXT not in caplog.text and "file:" not in caplog.text
    assert line.intake.rows == {}
    assert "encoding_aes_key" in await line.told("forged")
    await line.say("好了")
    assert await line.told("forged", over=True) == ""


async def test_a_body_without_end_is_refused_at_256_kb(line: WeComLine) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b"x" * 64 * 1024

    async with httpx.AsyncClient() as client:
        query = Outsider(line).seal.query("x", 0)
        assert is_refused(await client.post(f"{line.fake.callback_url}?{query}", content=pieces()))
    assert line.intake.rows == {}


async def test_fault_8_a_retry_while_the_first_still_commits_is_one_row_and_both_hear_200(
    line: WeComLine,
) -> None:
    line.fake.hold_callbacks()
    push = line.person.say(TEXT)
    answers = await asyncio.gather(*(Outsider(line).post(push.body, push.target) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (len(line.intake.rows), line.intake.deliveries) == (1, 2)


async def test_fault_23_what_cannot_be_stored_hears_503_and_comes_again(line: WeComLine) -> None:
    line.intake.is_down = True
    push = line.person.say(TEXT)
    await line.until(lambda: len(push.outcomes) >= 2)
    assert push.outcomes[0] == 503
    line.intake.is_down = False
    assert [said.text for said in await heard(line, 1)] == [TEXT]


async def test_another_applications_callback_is_refused_and_both_are_named(line: WeComLine) -> None:
    outsider = Outsider(line)
    assert is_refused(await outsider.plain(outsider.message(AgentID=1000099)))
    told = await line.told("other_agent")
    assert "1000099" in told and str(line.settings.agent_id) in told
    await outsider.plain(outsider.message(AgentID=line.settings.agent_id))
    assert await line.told("other_agent", over=True) == ""


async def test_a_genuine_message_that_is_no_xml_is_kept_for_the_desk(line: WeComLine) -> None:
    assert (await Outsider(line).plain(b"<xml><MsgType>te\xff\x00")).status_code == 200
    [raw] = await line.intake.raws(1)
    with pytest.raises(ValueError, match="XML"):
        line.channel.parse(raw)
    assert json.loads(raw)["xml"].startswith("<xml><MsgType>te")


async def test_only_get_and_post_are_answered(line: WeComLine) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.put(line.fake.callback_url)).status_code == 405


async def test_a_number_chooses_what_the_newest_list_named(tmp_path: Path) -> None:
    async with open_line(tmp_path, cards=False) as line:
        choices = (("到岗", "present:01A"), ("请假", "excused:01A"))
        [receipt] = await line.channel.send(Rendered("点名", choices), [line.address], key="k1")
        [shown] = await line.shown()
        assert shown.text.endswith("1 到岗\n2 请假") and shown.labels == ()
        for text in ("2", " 1 ", "3", "2 人受伤", "到"):
            await line.say(text)
        said = await heard(line, 5)
        assert [one.kind for one in said] == ["choice", "choice", "text", "text", "text"]
        assert [f"{one.verb}:{one.ref}" for one in said[:2]] == ["excused:01A", "present:01A"]
        assert said[0].message_id == receipt.remote_id
        # Another list takes its place, and half a day later a number is only a number.
        await line.channel.send(Rendered("值班", (("签收", "sign:01B"),)), [line.address], key="k2")
        await line.say("1")
        assert (await heard(line, 6))[-1].verb == "sign"
        line.clock.ahead = timedelta(hours=13)
        line.fake.advance(13 * 3600)
        await line.say("1")
        assert (await heard(line, 7))[-1].kind == "text"


async def test_a_card_sent_later_takes_the_numbers_away(line: WeComLine) -> None:
    many = tuple((f"同事{n}", f"to:{n}") for n in range(8))
    await line.channel.send(Rendered("转给谁", many), [line.address], key="k1")
    await line.say("8")
    await line.channel.send(Rendered("点名", (("到岗", "present:01A"),)), [line.address], key="k2")
    await line.say("1")
    first, second = await heard(line, 2)
    assert (first.kind, first.ref) == ("choice", "7")
    assert (second.kind, second.text) == ("text", "1")  # 到岗, as the roll call says.


async def test_a_place_from_the_menu_is_one_place(line: WeComLine) -> None:
    await line.until(lambda: line.fake.world.menu)
    lat, lon = gcj02.to_gcj02(22.5171, 113.3927)
    line.person.menu_place("发位置", lat, lon, "河边")
    await line.say("完")
    place, words = await heard(line, 3)
    assert (place.kind, words.text) == ("place", "完") and len(line.intake.rows) == 3
    assert place.place is not None and place.place.lat == pytest.approx(22.5171, abs=1e-6)


async def test_a_reported_position_is_a_place_only_when_one_was_asked_for(line: WeComLine) -> None:
    line.person.report_place(22.51, 113.39)
    await line.until(lambda: len(line.intake.rows) == 1)
    asks = Rendered("请发位置", asks_place=True, place_label="发位置")
    await line.channel.send(asks, [line.address], key="k1")
    await asyncio.sleep(1)  # The vendor's moments are whole seconds: within one it is the same event.
    line.person.report_place(22.51, 113.39, 25)
    [said] = await heard(line, 2)
    assert said.kind == "place" and said.place is not None and said.place.accuracy_metres == 25


async def test_nothing_a_menu_or_the_directory_says_is_lost_or_mistaken(line: WeComLine) -> None:
    await line.until(lambda: line.fake.world.menu)
    for name in ("文字报送", "状态", "我的值班"):
        line.person.menu(name)
    line.person.menu_photo("拍照报送")
    line.person.enter()
    line.fake.directory_event("create_party", {"Id": 7})
    await line.intake.raws(7)
    said: list[Inbound] = await heard(line, 7)
    assert [(one.kind, one.text) for one in said if one.kind == "text"] == [
        ("text", "/report"),
        ("text", "/status"),
        ("text", "/mine"),
    ]
    assert [one.kind for one in said if one.kind != "text"] == ["media"]
