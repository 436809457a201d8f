"""Every kind of message and event reads as the one record that all channels give, and nonsense is a ValueError."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.wecom.encryption import Envelope, Forged, Signature, encrypted_in, key_of
from bot.channels.wecom.envelope import Chosen, Notes, event_id_of, fields_of, read, written
from bot.channels.wecom.messages import interaction_parts, read_inbound
from desk.model import Inbound, RemoteFile
from tests.fakes.wecom_crypto import as_xml

KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


def raw(kind: str, notes: Notes | None = None, **fields: Any) -> bytes:
    """A stored callback of one member."""
    head = {"ToUserName": "ww1", "FromUserName": "LiXiaoMei", "CreateTime": 1764000000, "MsgType": kind}
    number = {} if kind == "event" else {"MsgId": 4211}
    return written(as_xml({**head, **number, **fields}).encode(), notes or Notes(1764000000))


def told(kind: str, notes: Notes | None = None, **fields: Any) -> Inbound | None:
    """What it means."""
    return read_inbound(raw(kind, notes, **fields), "zh-CN")


def said(kind: str, notes: Notes | None = None, **fields: Any) -> Inbound:
    """What it means, when it means something."""
    found = told(kind, notes, **fields)
    assert found is not None
    assert (found.channel, found.address, found.private) == ("wecom", "lixiaomei", True)
    return found


def test_words_and_a_code() -> None:
    one = said("text", Content="起火 ]]> <b>&amp;")
    assert (one.kind, one.text, one.event_id, one.message_id) == ("text", "起火 ]]> <b>&amp;", "4211", "4211")
    assert one.sent_at is not None and one.sent_at.timestamp() == 1764000000
    start = said("text", Content="/start 7Q-x")
    assert (start.kind, start.text) == ("start", "7Q-x")
    assert said("text", Content="/started").kind == "text"


FILES = {
    "image": RemoteFile("photo", "m1", mime="image/jpeg"),
    "voice": RemoteFile("voice", "m1", mime="audio/amr"),
    "video": RemoteFile("video", "m1", mime="video/mp4"),
    "shortvideo": RemoteFile("video", "m1", mime="video/mp4"),
    "file": RemoteFile("file", "m1", "报告.pdf", bytes_count=7),
}


@pytest.mark.parametrize("kind", FILES)
def test_each_kind_of_file_is_held_by_its_id_and_no_address_is_kept(kind: str) -> None:
    more: dict[str, Any] = {"FileName": "报告.pdf", "FileSize": 7} if kind == "file" else {}
    one = said(kind, MediaId="m1", PicUrl="http://169.254.169.254/", **more)
    assert (one.kind, one.files) == ("media", (FILES[kind],)) and "169" not in repr(one)
    with pytest.raises(ValueError, match="MediaId"):
        told(kind)


def test_what_a_voice_message_was_heard_to_say_comes_with_it() -> None:
    one = said("voice", MediaId="m1", Format="speex", Recognition="河边起火")
    assert (one.text, one.files[0].mime) == ("河边起火", "audio/speex")


def test_a_link_and_a_kind_nobody_knows_are_words() -> None:
    link = said("link", Title="公告", Description="停水", Url="https://x.test/1", PicUrl="https://x.test/p")
    assert (link.kind, link.text) == ("text", "[链接] 公告\n停水\nhttps://x.test/1")
    assert (said("sticker").kind, said("sticker").text) == ("other", "[无法识别的消息]")


@pytest.mark.parametrize(
    ("lat", "lon"), [("0", "0"), ("91", "113"), ("22.5", "181"), ("nan", "1"), ("x", "y"), ("inf", "1")]
)
def test_input_5_and_6_figures_off_the_globe_are_kept_as_words(lat: str, lon: str) -> None:
    place = said("location", Location_X=lat, Location_Y=lon, Label="河边").place
    assert place is not None and (place.lat, place.lon, place.datum) == (None, None, "gcj02")
    assert place.text == f"河边 [无效位置] {lat}, {lon}"


def test_events_that_say_something() -> None:
    press = said("event", Event="template_card_event", EventKey="sign:01A:x", TaskId="t1", ResponseCode="c|1")
    assert (press.kind, press.verb, press.ref, press.message_id) == ("choice", "sign", "01A:x", "t1")
    assert interaction_parts(press.interaction) == ("lixiaomei", "t1", "c|1")
    assert said("event", Event="click", EventKey="/status").text == "/status"
    picked: dict[str, Any] = {
        "SendLocationInfo": {"Location_X": 22.5, "Location_Y": 113.4, "Label": "河边", "Poiname": "桥"}
    }
    place = said("event", Event="location_select", EventKey="place", **picked).place
    assert place is not None and (place.text, place.original_lat) == ("桥 河边", 22.5)
    assert (said("event", Event="subscribe").kind, said("event", Event="subscribe").text) == ("start", "")
    chosen = said("text", Notes(1, chosen=Chosen("hand:01B", "t2")), Content="2")
    assert (chosen.kind, chosen.verb, chosen.ref, chosen.message_id) == ("choice", "hand", "01B", "t2")
    assert said("text", Notes(1, stale=True), Content="到").stale


SILENT: dict[str, dict[str, Any]] = {
    "enter_agent": {},
    "view": {"EventKey": "https://x.test"},
    "click": {"EventKey": "somebody-elses"},
    "LOCATION": {"Latitude": 22.5, "Longitude": 113.4, "Precision": 30},
    "pic_photo_or_album": {"EventKey": "photo", "SendPicsInfo": {"Count": 1}},
    "template_card_event": {"TaskId": "t1"},
    "change_contact": {"ChangeType": "delete_user", "UserID": "x"},
    "unsubscribe": {},
    "nobody_knows_this": {},
}


@pytest.mark.parametrize("event", SILENT)
def test_events_that_say_nothing_to_the_desk(event: str) -> None:
    assert told("event", Event=event, **SILENT[event]) is None


def test_an_event_is_known_again_and_two_quick_taps_are_two() -> None:
    def number(**more: Any) -> str:
        facts = {"Event": "template_card_event", "TaskId": "t1", "EventKey": "sign:1", **more}
        return event_id_of(read(raw("event", **facts)).fields)

    assert number() == number(ResponseCode="another")
    others = [
        number(TaskId="t2"),
        number(EventKey="hand:1"),
        number(CreateTime=1764000001),
        number(FromUserName="x"),
    ]
    assert len({number(), *others}) == 5
    assert event_id_of(read(raw("text", Content="一")).fields) == "4211"


@pytest.mark.parametrize(
    "xml", [b"", b"<xml/>", b"<xml><MsgType>text", b"text", b"<a><MsgType>text</MsgType></a>"]
)
def test_a_message_without_its_parts_is_a_value_error(xml: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_inbound(written(xml, Notes(1)), "zh-CN")


NAMES = st.sampled_from(
    "MsgType Event FromUserName CreateTime MsgId Content MediaId Location_X Location_Y EventKey TaskId "
    "ResponseCode SendLocationInfo Latitude Longitude Precision FileSize Format".split()
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)
WORDS = st.one_of(
    TEXTS, st.sampled_from("text image location event click location_select LOCATION 1e999 -0".split())
)


@given(st.dictionaries(NAMES, st.one_of(WORDS, st.integers(), st.dictionaries(NAMES, WORDS, max_size=3))))
def test_whatever_is_signed_reads_as_a_message_as_nothing_or_is_a_value_error(fields: dict[str, Any]) -> None:
    try:
        found = read_inbound(written(as_xml(fields).encode("utf-8", "replace"), Notes(1)), "en")
    except ValueError:
        return
    assert found is None or found.address


@given(st.binary(max_size=400))
def test_whatever_a_stranger_sends_is_forged_and_nothing_worse(body: bytes) -> None:
    sealed = base64.b64encode(body).decode()
    signed = "".join(sorted(["token", "1", "2", sealed]))
    signature = Signature(hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest(), "1", "2")
    with pytest.raises(Forged):
        Envelope("token", KEY, "ww1").open(sealed, signature)
    with pytest.raises(Forged):
        encrypted_in(body)


@given(st.binary(max_size=200))
def test_what_is_stored_comes_back_to_the_byte(xml: bytes) -> None:
    notes = Notes(5, stale=True, chosen=Chosen("a:b", "t"), place_asked=True, echo=True)
    row = written(b"<xml><A><![CDATA[x]]></A></xml>" + xml, notes)
    try:
        event = read(row)
    except ValueError:
        return
    assert event.notes == notes and event.fields == fields_of(b"<xml><A>x</A></xml>")


def test_a_key_is_43_characters_of_base64() -> None:
    assert key_of(KEY) is not None and len(key_of(KEY) or b"") == 32
    assert [key_of(one) for one in (KEY[:-1], KEY + "A", "!" * 43, "")] == [None] * 4
