"""What each kind of Telegram message means."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram.updates import read_inbound
from desk.model import Inbound
from tests.bot.channels.contract import KeptIntake
from tests.bot.channels.telegram_line import TelegramLine
from tests.fakes.telegram_media import SMALL_JPEG
from tests.fakes.telegram_server import FakeTelegram

PERSON = {"id": 9, "is_bot": False, "first_name": "李", "last_name": "小梅"}
PRIVATE = {"id": 9, "type": "private", "first_name": "李"}
GROUP = {"id": -77, "type": "supergroup", "title": "值班群"}


def read(
    message: dict[str, Any] | None = None, *, speaker: dict[str, Any] = PERSON, **fields: Any
) -> Inbound:
    whole = {
        "message_id": 5,
        "date": 1_790_000_000,
        "chat": PRIVATE,
        "from": speaker,
        **(message or {}),
        **fields,
    }
    found = read_inbound(json.dumps({"update_id": 71, "message": whole}).encode(), "zh-CN")
    assert found is not None
    return found


@pytest.fixture
def line() -> TelegramLine:
    return TelegramLine(FakeTelegram(), KeptIntake())


def understood(line: TelegramLine) -> list[Inbound]:
    """Everything the phone did, as the channel reads it."""
    found = [line.channel.parse(json.dumps(update).encode()) for update in line.fake.unconfirmed]
    return [inbound for inbound in found if inbound is not None]


async def test_every_kind_a_phone_can_send(line: TelegramLine) -> None:
    phone = line.person
    phone.start("Code_22-x")
    phone.start()
    phone.say("/status@muster_fake_bot 小榄")
    phone.photo(SMALL_JPEG, "冒烟")
    phone.document(b"%PDF", "预案.pdf", caption="见附件")
    phone.voice()
    phone.video(caption="现场")
    phone.location(22.5, 113.4, accuracy=12.5)
    phone.venue(22.5, 113.4, "小榄镇政府", "民安中路")
    phone.contact("13800000000", "王村长")
    phone.sticker("😀")
    phone.poll("去哪", ["东", "西"])
    phone.dice()
    phone.forward("到")
    heard = understood(line)
    assert [(i.kind, i.text) for i in heard] == [
        ("start", "Code_22-x"),
        ("start", ""),
        ("text", "/status 小榄"),
        ("media", "冒烟"),
        ("media", "见附件"),
        ("media", ""),
        ("media", "现场"),
        ("place", ""),
        ("place", ""),
        ("text", "[名片] 王村长 13800000000"),
        ("other", "[贴纸] 😀"),
        ("other", "[投票] 去哪：东 / 西"),
        ("other", "[骰子] 🎲 3"),
        ("text", "到"),
    ]
    assert [(f.kind, f.file_name, f.mime) for i in heard for f in i.files] == [
        ("photo", "", "image/jpeg"),
        ("file", "预案.pdf", "application/pdf"),
        ("voice", "", "audio/ogg"),
        ("video", "", "video/mp4"),
    ]
    point, venue = heard[7].place, heard[8].place
    assert point is not None and (point.lat, point.lon, point.accuracy_metres) == (22.5, 113.4, 12.5)
    assert venue is not None and (venue.lat, venue.text) == (22.5, "小榄镇政府 民安中路")
    assert [i.forwarded for i in heard] == [False] * 13 + [True]
    assert {i.address for i in heard} == {"4211"} and {i.sender_name for i in heard} == {"李小梅"}
    assert all(i.private and i.sent_at and i.message_id and not i.edited for i in heard)


async def test_the_largest_size_of_a_photo_is_taken(line: TelegramLine) -> None:
    said = line.person.photo(SMALL_JPEG)
    [photo] = understood(line)
    sizes = said.message["photo"]
    assert photo.files[0].remote_id == sizes[-1]["file_id"] and len(sizes) == 3
    shuffled = read(photo=[sizes[-1], sizes[0]])
    assert shuffled.files[0].remote_id == sizes[-1]["file_id"]


async def test_an_album_shares_its_name_and_the_caption_is_on_the_first(line: TelegramLine) -> None:
    line.person.album([None, None, None], "三张")
    line.person.photo(None)
    first, second, third, alone = understood(line)
    assert first.album == second.album == third.album != "" and alone.album == ""
    assert [i.text for i in (first, second, third)] == ["三张", "", ""]


async def test_edits_and_moves_speak_of_the_first_message(line: TelegramLine) -> None:
    said = line.person.say("起火")
    line.person.edit(said, "起火，两人被困")
    live = line.person.live_location(22.5, 113.4)
    line.person.move(live, 22.6, 113.5)
    line.person.stop_live(live)
    _, edit, place, move, stop = understood(line)
    assert (edit.kind, edit.edited, edit.text) == ("edit", True, "起火，两人被困")
    assert edit.message_id == str(said.message_id)
    assert place.kind == "place" and (move.kind, stop.kind) == ("edit", "edit")
    assert move.place is not None and (move.place.lat, move.place.lon) == (22.6, 113.5)
    assert move.message_id == stop.message_id == place.message_id


async def test_a_reply_names_the_message_it_answers(line: TelegramLine) -> None:
    said = line.person.say("起火")
    line.person.say("已灭", reply_to=said.message_id)
    assert [i.reply_to for i in understood(line)] == ["", str(said.message_id)]


async def test_membership_means_nothing_yet(line: TelegramLine) -> None:
    line.person.block()
    assert line.fake.unconfirmed and understood(line) == []


def test_round_videos_and_animations_are_videos_and_music_is_a_voice() -> None:
    file = {"file_id": "F", "file_size": 3}
    assert read(video_note=file).files[0].kind == "video"
    both = read(animation={**file, "mime_type": "image/gif"}, document={"file_id": "G"})
    assert [(f.kind, f.remote_id, f.mime) for f in both.files] == [("video", "F", "image/gif")]
    assert read(audio={**file, "file_name": "a.m4a"}).files[0].kind == "voice"


def test_a_tap_carries_verb_ref_card_and_query() -> None:
    card = {"message_id": 44, "date": 0, "chat": PRIVATE}
    tap = {"id": "990", "from": PERSON, "message": card, "data": "ack:01ARZ:x"}
    found = read_inbound(json.dumps({"update_id": 7, "callback_query": tap}).encode(), "zh-CN")
    assert found is not None
    assert (found.kind, found.verb, found.ref, found.message_id, found.interaction) == (
        "choice", "ack", "01ARZ:x", "44", "990",
    )  # fmt: skip
    assert found.private and found.address == "9" and found.sent_at is None
    in_group = {**tap, "message": {**card, "chat": GROUP}}
    found = read_inbound(json.dumps({"update_id": 7, "callback_query": in_group}).encode(), "zh-CN")
    assert found is not None and not found.private and found.address == "9"
    game = {"id": "1", "from": PERSON, "game_short_name": "x"}
    assert read_inbound(json.dumps({"update_id": 7, "callback_query": game}).encode(), "zh-CN") is None


def test_input_25_nobody_who_speaks_for_a_chat_has_an_identity() -> None:
    admin = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    anonymous = read(chat=GROUP, sender_chat=GROUP, text="到", speaker=admin)
    linked = read(
        chat=GROUP,
        sender_chat={"id": -5, "title": "频道"},
        text="到",
        speaker={"id": 777000, "is_bot": False},
    )
    assert linked.sender_name == "频道"
    other_bot = read(chat=GROUP, text="到", speaker={**PERSON, "is_bot": True})
    post = {"message_id": 1, "date": 1, "chat": {**GROUP, "type": "channel"}, "text": "到"}
    posted = read_inbound(json.dumps({"update_id": 7, "channel_post": post}).encode(), "zh-CN")
    assert posted is not None
    for found in (anonymous, linked, other_bot, posted):
        assert found.address == "-77" and not found.private
    member = read(chat=GROUP, text="/start@muster_bot CODE")
    assert (member.kind, member.text, member.address, member.private) == ("start", "CODE", "9", False)


@pytest.mark.parametrize("old", [{"forward_origin": {"type": "user"}}, {"forward_date": 1}])
def test_input_20_a_forwarded_message_is_marked(old: dict[str, Any]) -> None:
    assert read(text="到", **old).forwarded


@pytest.mark.parametrize(
    ("lat", "lon", "kept"),
    [
        (91, 1, (91, 1)),
        (1, 181, (1, 181)),
        (0, 0, (0, 0)),
        (113.39, 22.51, (113.39, 22.51)),  # Swapped.
        (float("nan"), 1, (None, None)),
        (1, float("inf"), (None, None)),
        ("22", 113, (None, None)),
        (None, None, (None, None)),
        (True, 1, (None, None)),
        (10**400, 1, (None, None)),
        ([], {}, (None, None)),
    ],
)
def test_input_5_and_6_bad_coordinates_are_kept_in_words(lat: Any, lon: Any, kept: tuple[Any, Any]) -> None:
    found = read(location={"latitude": lat, "longitude": lon})
    assert found.place is not None
    assert (found.place.lat, found.place.lon) == (None, None)
    assert (found.place.original_lat, found.place.original_lon) == kept
    assert found.place.text.startswith("[无效位置]") and len(found.place.text) < 80


@pytest.mark.parametrize("accuracy", [-1, float("nan"), "x", 10**9, None])
def test_a_bad_accuracy_is_left_out(accuracy: Any) -> None:
    found = read(location={"latitude": 22.5, "longitude": 113.4, "horizontal_accuracy": accuracy})
    assert found.place is not None and found.place.accuracy_metres is None


def test_input_7_of_a_key_given_twice_the_last_one_counts() -> None:
    raw = b'{"update_id": 1, "update_id": 2, "message": {"chat": {"id": 9}, "text": "a", "text": "b"}}'
    found = read_inbound(raw, "zh-CN")
    assert found is not None and (found.event_id, found.text) == ("2", "b")


@pytest.mark.parametrize("number", [10**30, -(10**30), "x", 1.5, True, None, []])
def test_numbers_out_of_range_are_left_out(number: Any) -> None:
    found = read(text="好", date=number, document={"file_id": "F", "file_size": number})
    assert found.sent_at is None and found.files[0].bytes_count is None
    assert read(text="好", message_id=10**30).message_id == "1" + "0" * 30


@pytest.mark.parametrize(
    "message",
    [
        {"text": 5},
        {"text": "x", "chat": "y"},
        {"text": "x", "chat": {}, "from": {}},
        {"photo": "x"},
        {"photo": [5]},
        {"photo": [{"width": 5}]},
        {"document": {"file_name": "x"}},
        {"document": []},
        {"location": 5},
        {"sticker": "x"},
    ],
)
def test_a_message_of_the_wrong_shape_is_a_value_error(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no text|no object|no list|neither|without"):
        read(message)


def test_a_service_message_means_nothing_and_a_story_gets_words() -> None:
    pinned = {"message_id": 5, "chat": GROUP, "from": PERSON, "pinned_message": {}}
    assert read_inbound(json.dumps({"update_id": 7, "message": pinned}).encode(), "zh-CN") is None
    assert read_inbound(b'{"update_id": 7, "poll": {}}', "zh-CN") is None
    assert (read(story={}).kind, read(story={}).text) == ("other", "[无法识别的消息]")


def test_input_12_to_18_text_is_kept_as_it_was_written() -> None:
    for text in (
        "<script>alert(1)</script>",
        "{{7*7}} %s%n",
        "'; DROP TABLE",
        "一\n二",
        "\u202e反",
        "😀" * 9,
        "好" * 4096,
    ):
        assert read(text=text).text == text
    assert read(text="半\ud83d个\x00").text == "半\ufffd个"
    assert read(text="/ 起火").kind == "text"
    assert read(text="/start " + "A" * 65).text == "A" * 65


def test_words_follow_the_desks_language() -> None:
    raw = json.dumps(
        {"update_id": 1, "message": {"chat": PRIVATE, "from": PERSON, "sticker": {"emoji": "😀"}}}
    )
    english = read_inbound(raw.encode(), "en")
    assert english is not None and english.text == "[sticker] 😀"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from("id file_id chat from text location latitude longitude emoji type".split()),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
KEYS = (
    "message_id date chat from text caption photo document voice location venue contact sticker poll dice "
    "reply_to_message media_group_id sender_chat edit_date"
).split()


@given(
    st.dictionaries(st.sampled_from(KEYS), values),
    st.sampled_from(["message", "edited_message", "callback_query"]),
)
def test_any_json_is_an_inbound_or_nothing_or_a_value_error(fields: dict[str, Any], name: str) -> None:
    raw = json.dumps({"update_id": 1, name: {"chat": PRIVATE, "data": "a:b", **fields}}).encode()
    try:
        found = read_inbound(raw, "zh-CN")
    except ValueError:
        return
    if found is not None:
        json.dumps(replace(found, sent_at=None, place=None, files=()).__dict__, ensure_ascii=False).encode()


def test_a_message_of_a_group_is_never_taken_for_the_private_one_of_the_same_number() -> None:
    private = read(text="一", reply_to_message={"message_id": 44})
    group = read(text="一", chat=GROUP, reply_to_message={"message_id": 44})
    assert (private.message_id, private.reply_to) == ("5", "44")  # As they always were stored.
    assert (group.message_id, group.reply_to) == ("-77/5", "-77/44")
    assert read(text="一", chat={**GROUP, "id": -78}).message_id != group.message_id
    assert read(text="一", chat=GROUP).reply_to == ""
