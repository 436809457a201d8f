"""The phone's routes over real HTTP: what is taken, what is refused and in which words."""

import asyncio
import hashlib
import io
import json
import struct
import tomllib
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from bot.channels.webchat import make_link
from bot.channels.webchat.uploads import Uploads
from bot.media import MediaFolder
from desk.departures import revoke_links
from desk.model import Card, ChatMessage, Outcome, RemoteFile, Rendered, Setting
from desk.ports import FetchFailed
from roster.model import Account, Officer
from tests.bot.channels.webchat_world import World, jpeg, open_world

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as opened:
        yield opened


async def say(client: httpx.AsyncClient, world: World, event_id: str, **fields: Any) -> httpx.Response:
    body = json.dumps({"event_id": event_id, **fields})
    return await client.post(
        f"{world.chat}/messages", content=body, headers={"Content-Type": "application/json"}
    )


async def upload(
    client: httpx.AsyncClient, world: World, content: bytes, kind: str = "photo", name: str = "p.jpg"
) -> httpx.Response:
    return await client.post(f"{world.chat}/files", data={"kind": kind}, files={"file": (name, content)})


async def read_stream(
    client: httpx.AsyncClient, url: str, count: int, **headers: str
) -> list[dict[str, Any]]:
    """The first `count` lines of a phone's stream, each with its event id."""
    lines: list[dict[str, Any]] = []
    async with asyncio.timeout(10), client.stream("GET", url, headers=headers) as response:
        event_id = ""
        async for row in response.aiter_lines():
            if row.startswith("id: "):
                event_id = row[4:]
            if row.startswith("data: "):
                lines.append({"event_id_of_stream": event_id, **json.loads(row[6:])})
            if len(lines) == count:
                break
    return lines


async def test_text_is_in_the_inbox_before_the_answer(world: World, client: httpx.AsyncClient) -> None:
    answer = await say(client, world, "event-0001", kind="text", text="东城路有积水")
    assert answer.status_code == 200
    heard = (await world.heard())[-1]
    assert (heard.kind, heard.text, heard.address) == ("text", "东城路有积水", world.address)
    assert heard.event_id == f"{world.address}:event-0001"
    assert heard.sender_name == "李小梅"


async def test_fault_7_the_same_event_twice_is_taken_once(world: World, client: httpx.AsyncClient) -> None:
    before = len(await world.inbox())
    answers = [await say(client, world, "event-0001", text="一次") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["message"]["id"] for answer in answers}) == 1
    assert len(await world.inbox()) == before + 1


async def test_fault_1_no_line_stands_on_a_phone_whose_event_is_not_in_the_inbox(
    world: World, client: httpx.AsyncClient
) -> None:
    take, failures = world.channel.intake.take_with, [OSError("disk full")]

    async def failing(*event: Any) -> None:
        if failures:
            raise failures.pop()
        await take(*event)

    world.channel.intake.take_with = failing  # type: ignore[method-assign,assignment]  # The intake fails once.
    file = (await upload(client, world, jpeg())).json()
    fields = {"text": "图", "files": [{"digest": file["digest"]}]}
    assert (await say(client, world, "event-0001", **fields)).status_code == 500
    history = (await client.get(f"{world.chat}/history")).json()["messages"]
    assert "图" not in [line["text"] for line in history]
    assert (await say(client, world, "event-0001", **fields)).status_code == 200
    heard = (await world.heard())[-1]
    assert (heard.text, [each.digest for each in heard.files]) == ("图", [file["digest"]])


async def test_two_phones_may_use_the_same_event_id(world: World, client: httpx.AsyncClient) -> None:
    assert len({row.id for row in await world.inbox()}) == 2  # Both said hello-0001.


async def test_input_41_and_44_a_photo_is_stored_by_digest_and_shown_without_exif(
    world: World, client: httpx.AsyncClient
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script> secret place"
    photo = jpeg(3000, 2000, exif=exif.tobytes())
    file = (await upload(client, world, photo, name="../../etc/x.jpg")).json()
    assert file["digest"] == hashlib.sha256(photo).hexdigest()
    assert Path(world.channel.media.path(file["digest"])).read_bytes() == photo
    answer = await say(client, world, "event-0001", kind="media", files=[{"digest": file["digest"]}])
    line = answer.json()["message"]
    shown = await client.get(f"{world.chat}/files/{line['files'][0]['shown']}?in={line['id']}")
    assert shown.headers["content-type"] == "image/jpeg"
    assert b"secret place" in photo
    assert b"secret place" not in shown.content
    assert max(Image.open(io.BytesIO(shown.content)).size) == 1600
    heard = (await world.heard())[-1]
    assert (heard.kind, heard.files[0].kind, heard.files[0].digest) == ("media", "photo", file["digest"])
    pieces = [piece async for piece in world.channel.fetch(heard.files[0])]
    assert b"".join(pieces) == photo


async def test_original_of_a_photo_is_not_served(world: World, client: httpx.AsyncClient) -> None:
    digest = (await upload(client, world, jpeg())).json()["digest"]
    line = (await say(client, world, "event-0001", files=[{"digest": digest}])).json()["message"]
    assert (await client.get(f"{world.chat}/files/{digest}?in={line['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"lat": 22.52, "lon": 113.38, "accuracy": 12}, (22.52, 113.38, 12)),
        ({"lat": 91, "lon": 181}, (None, None, None)),
        ({"lat": 0, "lon": 0}, (None, None, None)),
        ({"place_text": "小榄镇"}, (None, None, None)),
    ],
)
async def test_input_6_a_place_is_a_point_or_words(
    world: World, client: httpx.AsyncClient, fields: dict[str, Any], place: tuple[Any, ...]
) -> None:
    assert (await say(client, world, "event-0001", kind="place", **fields)).status_code == 200
    heard = (await world.heard())[-1]
    assert heard.kind == "place"
    assert (heard.place.lat, heard.place.lon, heard.place.accuracy_metres) == place
    assert place[0] is not None or heard.place.text


async def test_input_5_a_nan_place_is_refused_and_its_words_are_kept(
    world: World, client: httpx.AsyncClient
) -> None:
    headers = {"Content-Type": "application/json"}
    body = '{"event_id": "event-0001", "kind": "place", "lat": NaN, "lon": 1e999, "text": "村口"}'
    answer = await client.post(f"{world.chat}/messages", content=body, headers=headers)
    assert answer.status_code == 200
    heard = (await world.heard())[-1]
    assert (heard.kind, heard.text, heard.place) == ("text", "村口", None)
    answer = await say(client, world, "event-0002", kind="place", lat=None)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_place")


async def test_choice_names_the_card_it_was_pressed_on(world: World, client: httpx.AsyncClient) -> None:
    card = await world.show("点名", ("到岗", "present:R1"), ("有情况", "trouble:R1"))
    answer = await say(client, world, "event-0001", kind="choice", verb="present", ref="R1", reply_to=card)
    assert answer.json()["message"]["text"] == "到岗"
    heard = (await world.heard())[-1]
    assert (heard.kind, heard.verb, heard.ref, heard.message_id) == ("choice", "present", "R1", card)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"kind": "choice", "verb": "sign", "ref": "x" * 60}, 400, "bad_choice"),  # 65 bytes
        ({"kind": "choice", "verb": "sign", "ref": "../2"}, 400, "bad_choice"),
        ({"kind": "choice", "verb": "", "ref": "1"}, 400, "bad_choice"),
        ({"kind": "text", "text": ""}, 400, "nothing_said"),
        ({"kind": "text", "text": 5}, 400, "bad_json"),
        ({"kind": "poll", "text": "?"}, 400, "bad_kind"),
        ({"text": "长" * 20_001}, 413, "text_too_long"),
        ({"text": "长" * 400_000}, 413, "body_too_large"),
        ({"files": [{"digest": "../../etc/passwd"}]}, 400, "bad_file"),
        ({"files": [{"digest": "ab" * 32}] * 21}, 400, "too_many_files"),
        ({"files": [{"digest": "ab" * 32}]}, 409, "upload_again"),
        ({"text": "x", "reply_to": "../.."}, 400, "bad_event_id"),
    ],
)
async def test_input_22_and_44_nonsense_is_refused_in_one_sentence(
    world: World, client: httpx.AsyncClient, fields: dict[str, Any], status: int, code: str
) -> None:
    before = len(await world.inbox())
    answer = await say(client, world, "event-0001", **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "。" in answer.json()["reason"]
    assert len(await world.inbox()) == before


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"event_id": "a/b"}']
)
async def test_input_2_bad_json_is_400(world: World, client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(
        f"{world.chat}/messages", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["reason"]


async def test_fault_23_a_photo_for_which_there_is_no_room_is_told_in_words_and_on_the_board(
    world: World, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    full = MediaFolder(tmp_path / "full", free_bytes_min=2**62)
    full.open()
    roomy, world.channel.uploads = world.channel.uploads, Uploads(world.door, full)
    answer = await upload(client, world, jpeg())
    assert (answer.status_code, answer.json()["code"]) == (507, "no_room") and "。" in answer.json()["reason"]
    async with world.door.read() as store:
        assert await store.count(Setting, id_has="trouble/attachments/store") == 1
    assert (await say(client, world, "event-0001", text="文字照发")).status_code == 200
    world.channel.uploads = roomy
    assert (await upload(client, world, jpeg())).status_code == 200
    async with world.door.read() as store:
        assert await store.count(Setting, id_has="trouble/attachments/store") == 0


async def test_input_60_uploads_nobody_names_are_limited_before_a_byte_is_kept_and_expire(
    world: World, client: httpx.AsyncClient
) -> None:
    async with world.door.open() as desk:
        slips = [Setting(f"webchat.upload/{world.address}/{n}", '{"kept_at": "2020"}') for n in range(100)]
        now = json.dumps({"kept_at": desk.now.isoformat()})
        slips += [Setting(f"webchat.upload/{world.address}/x{n}", now) for n in range(100)]
        await desk.store.add(*slips)
    assert (await upload(client, world, jpeg())).status_code == 200  # The old ones are forgotten.
    async with world.door.open() as desk:
        assert await desk.store.count(Setting, id_has="webchat.upload/") == 101
        await desk.store.add(*(Setting(f"webchat.upload/{world.address}/y{n}", now) for n in range(99)))
    answer = await upload(client, world, b"never kept", kind="file", name="a.txt")
    assert answer.json()["code"] == "too_many_uploads"
    digest = hashlib.sha256(b"never kept").hexdigest()
    assert not Path(world.channel.media.path(digest)).exists()


async def test_half_a_letter_and_nul_are_stored_as_text(world: World, client: httpx.AsyncClient) -> None:
    body = b'{"event_id": "event-0001", "text": "a\\ud83db\\u0000c"}'
    answer = await client.post(
        f"{world.chat}/messages", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
    assert (await world.heard())[-1].text == "a\ufffdbc"


@pytest.mark.parametrize(
    "text", ["   ", "🔥🔥", "\u202e反过来\u200b", "{{7*7}} ${7*7} %s%n", "'; DROP TABLE x; --"]
)
async def test_input_12_and_13_and_15_and_16_odd_text_is_kept_as_it_is(
    world: World, client: httpx.AsyncClient, text: str
) -> None:
    assert (await say(client, world, "event-0001", text=text)).status_code == 200
    assert (await world.heard())[-1].text == text


async def test_input_60_500_messages_a_minute_are_all_kept(world: World, client: httpx.AsyncClient) -> None:
    before = len(await world.inbox())
    for number in range(500):
        assert (await say(client, world, f"event-{number:04}", text=str(number))).status_code == 200
    assert len(await world.inbox()) == before + 500


async def test_input_60_a_flood_is_asked_to_wait_with_a_time(world: World, client: httpx.AsyncClient) -> None:
    answers = [await say(client, world, f"event-{number:04}", text="x") for number in range(620)]
    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"] == "5"


@pytest.mark.parametrize("path", ["", "/history", "/stream", f"/files/{'ab' * 32}"])
async def test_wrong_and_revoked_links_get_the_same_404(
    world: World, client: httpx.AsyncClient, path: str
) -> None:
    async with world.door.open() as desk:
        assert await revoke_links(desk, "o1", None) == 1
    revoked = await client.get(world.chat + path)
    unknown = await client.get(f"{world.base}/chat/{'A' * 43}{path}")
    short = await client.get(f"{world.base}/chat/x{path}")
    assert revoked.status_code == unknown.status_code == short.status_code == 404
    assert revoked.text == unknown.text == short.text
    assert "领取新链接" in revoked.text


async def test_revoked_link_takes_nothing(world: World, client: httpx.AsyncClient) -> None:
    async with world.door.open() as desk:
        await revoke_links(desk, "o1", None)
    before = len(await world.inbox())
    assert (await say(client, world, "event-0001", text="x")).status_code == 404
    assert (await upload(client, world, jpeg())).status_code == 404
    assert len(await world.inbox()) == before
    receipts = await world.channel.send(Rendered("在吗"), [world.address], key="k")
    assert receipts[0].outcome == Outcome.refused


async def test_input_30_a_former_officer_has_no_page(world: World, client: httpx.AsyncClient) -> None:
    async with world.door.open() as desk:
        officer = await desk.store.get(Officer, "o1")
        assert officer is not None
        await desk.store.change(officer, active=False)
    assert (await client.get(world.chat)).status_code == 404


async def test_revoking_ends_an_open_stream(world: World, client: httpx.AsyncClient) -> None:
    async def follow() -> str:
        async with client.stream("GET", f"{world.chat}/stream") as response:
            return (await response.aread()).decode()

    following = asyncio.create_task(follow())
    await read_stream(client, f"{world.chat}/stream", 1)
    async with world.door.open() as desk:
        await revoke_links(desk, "o1", None)
    world.channel.screens.ring(world.address)
    async with asyncio.timeout(5):
        assert "event: gone" in await following


async def test_new_link_keeps_the_history_and_the_token_is_not_stored(
    world: World, client: httpx.AsyncClient
) -> None:
    async with world.door.open() as desk:
        officer = await desk.store.get(Officer, "o1")
        assert officer is not None
        await revoke_links(desk, "o1", None)
        token = await make_link(desk, officer)
        accounts = await desk.store.find(Account, officer_id="o1")
    history = (await client.get(f"{world.base}/chat/{token}/history")).json()
    assert [line["text"] for line in history["messages"]] == ["在"]
    assert [account.address for account in accounts] == [world.address]
    assert token not in repr(accounts)


async def test_21_mb_is_refused_while_it_arrives(world: World, client: httpx.AsyncClient) -> None:
    answer = await upload(client, world, jpeg() + bytes(21 * 1024 * 1024))
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    assert "20 MB" in answer.json()["reason"]


async def test_21_mb_without_a_length_is_refused(world: World, client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        for _ in range(21 * 16):
            yield bytes(65536)
        yield b"\r\n--x--\r\n"

    answer = await client.post(
        f"{world.chat}/files", content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code in (400, 413)
    assert answer.json()["reason"]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<html><script>alert(1)</script></html>", "photo.jpg"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "photo.svg"),
        (b"II*\x00" + bytes(100), "photo.tiff"),
        (b"SIMPLE  =                    T", "photo.fits"),
        (b"MZ" + bytes(100), "\u202egpj.exe"),
    ],
)
async def test_input_42_and_44_what_is_no_photo_is_sealed_and_only_downloaded(
    world: World, client: httpx.AsyncClient, content: bytes, name: str
) -> None:
    file = (await upload(client, world, content, name=name)).json()
    assert file["kind"] == "file"
    assert file["note"]
    line = (await say(client, world, "event-0001", files=[{"digest": file["digest"]}])).json()["message"]
    assert line["files"][0]["shown"] == ""
    answer = await client.get(f"{world.chat}/files/{file['digest']}?in={line['id']}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def png_bomb(edge: int) -> bytes:
    """A valid PNG that unpacks to edge × edge pixels from very few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = bytes(edge // 8 + 1)
    pixels = b"".join(packer.compress(row) for _ in range(edge)) + packer.flush()
    head = struct.pack(">IIBBBBB", edge, edge, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


async def test_input_39_an_image_bomb_is_kept_sealed_and_the_desk_stays_alive(
    world: World, client: httpx.AsyncClient
) -> None:
    bomb = png_bomb(50_000)
    assert len(bomb) < 2_000_000
    file = (await upload(client, world, bomb, name="bomb.png")).json()
    assert (file["kind"], bool(file["note"])) == ("file", True)
    answer = await say(client, world, "event-0001", text="起火", files=[{"digest": file["digest"]}])
    assert answer.status_code == 200
    assert (await world.heard())[-1].text == "起火"


@pytest.mark.parametrize(
    "content", [jpeg()[:700], b"\xff\xd8\xff\xe0" + bytes(50), b"\x89PNG\r\n\x1a\n" + bytes(9)]
)
async def test_input_43_a_broken_picture_is_kept(
    world: World, client: httpx.AsyncClient, content: bytes
) -> None:
    file = (await upload(client, world, content)).json()
    assert file["kind"] == "photo"
    answer = await say(client, world, "event-0001", files=[{"digest": file["digest"]}])
    assert answer.status_code == 200


async def test_input_43_empty_and_missing_files_are_400(world: World, client: httpx.AsyncClient) -> None:
    assert (await upload(client, world, b"")).json()["code"] == "empty_file"
    answer = await client.post(f"{world.chat}/files", data={"kind": "photo"})
    assert (answer.status_code, answer.json()["code"]) == (400, "no_file")
    answer = await client.post(
        f"{world.chat}/files", content=b"garbage", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "digest", ["../../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "ab" * 32, "..%5c..%5cx", "x"]
)
async def test_file_ids_reach_no_other_file(world: World, client: httpx.AsyncClient, digest: str) -> None:
    line = (await say(client, world, "event-0001", text="x")).json()["message"]
    answer = await client.get(f"{world.chat}/files/{digest}?in={line['id']}")
    assert answer.status_code == 404


async def test_input_53_another_phone_can_neither_send_nor_see_my_photo(
    world: World, client: httpx.AsyncClient
) -> None:
    digest = (await upload(client, world, jpeg())).json()["digest"]
    other = f"{world.base}/chat/{world.other_token}"
    stolen = {"event_id": "event-0009", "files": [{"digest": digest}]}
    assert (await client.post(f"{other}/messages", json=stolen)).status_code == 409
    line = (await say(client, world, "event-0001", files=[{"digest": digest}])).json()["message"]
    shown = line["files"][0]["shown"]
    assert (await client.get(f"{world.chat}/files/{shown}?in={line['id']}")).status_code == 200
    assert (await client.get(f"{other}/files/{shown}?in={line['id']}")).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_input_51_cross_site_posts_are_403(
    world: World, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for path in ("messages", "files", "read"):
        answer = await client.post(
            f"{world.chat}/{path}", json={"event_id": "event-0001", "text": "x"}, headers=headers
        )
        assert answer.status_code == 403


@pytest.mark.parametrize("path", ["messages", "files", "read"])
async def test_input_52_get_changes_nothing(world: World, client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"{world.chat}/{path}")).status_code == 405


async def test_page_has_a_strict_policy_and_no_inline_script(world: World, client: httpx.AsyncClient) -> None:
    page = await client.get(world.chat)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "style=" not in page.text
    assert "onclick" not in page.text
    assert "<style" not in page.text


async def test_check_counts_the_good_links(world: World) -> None:
    assert await world.channel.check() == "2 personal links"
    async with world.door.open() as desk:
        await revoke_links(desk, "o2", None)
    assert await world.channel.check() == "1 personal links"


async def test_open_streams_end_when_the_desk_stops(world: World, client: httpx.AsyncClient) -> None:
    following = asyncio.create_task(read_stream(client, f"{world.chat}/stream?after=1", 1))
    await asyncio.sleep(0.3)
    world.channel.end_streams()
    async with asyncio.timeout(3):
        assert await following == []


async def test_sending_with_one_key_shows_once(world: World) -> None:
    first = await world.channel.send(Rendered("点名"), [world.address, "nobody"], key="letter-1")
    again = await world.channel.send(Rendered("点名"), [world.address], key="letter-1")
    assert [receipt.outcome for receipt in first] == [Outcome.sent, Outcome.refused]
    assert again[0].remote_id == first[0].remote_id
    async with world.door.read() as store:
        assert await store.count(ChatMessage, address=world.address, mine=False) == 1


async def test_amended_card_comes_again_under_its_own_id(world: World, client: httpx.AsyncClient) -> None:
    card = await world.show("请签收", ("签收", "sign:I1"))
    await world.show("别的消息")
    [receipt] = await world.channel.amend(Rendered("已由陈志强签收"), [Card(world.address, card)])
    assert receipt.outcome == Outcome.sent
    lines = await read_stream(client, f"{world.chat}/stream?after=3", 1)
    assert (lines[0]["id"], lines[0]["text"], lines[0]["choices"]) == (card, "已由陈志强签收", [])
    history = (await client.get(f"{world.chat}/history")).json()["messages"]
    assert [line["text"] for line in history] == ["在", "已由陈志强签收", "别的消息"]
    [foreign] = await world.channel.amend(Rendered("x"), [Card("someone-else", card)])
    assert foreign.outcome == Outcome.refused


async def test_stream_resumes_after_the_last_event(world: World, client: httpx.AsyncClient) -> None:
    await world.show("一")
    first = await read_stream(client, f"{world.chat}/stream", 2)
    for text in ("二", "三"):
        await world.show(text)
    resumed = await read_stream(
        client, f"{world.chat}/stream", 2, **{"Last-Event-ID": first[-1]["event_id_of_stream"]}
    )
    assert [line["text"] for line in first + resumed] == ["在", "一", "二", "三"]


async def test_stream_brings_a_message_at_once(world: World, client: httpx.AsyncClient) -> None:
    following = asyncio.create_task(read_stream(client, f"{world.chat}/stream?after=1", 1))
    await asyncio.sleep(0.3)
    started = asyncio.get_running_loop().time()
    await world.show("快")
    assert (await following)[0]["text"] == "快"
    assert asyncio.get_running_loop().time() - started < 0.5


async def test_one_link_opens_few_streams(world: World, client: httpx.AsyncClient) -> None:
    streams = [asyncio.create_task(read_stream(client, f"{world.chat}/stream?after=1", 1)) for _ in range(6)]
    await asyncio.sleep(0.5)
    assert (await client.get(f"{world.chat}/stream")).status_code == 429
    await world.show("完")
    await asyncio.gather(*streams)


async def test_history_pages_backwards(world: World, client: httpx.AsyncClient) -> None:
    for number in range(60):
        await world.show(f"第{number}条")
    newest = (await client.get(f"{world.chat}/history")).json()
    assert (len(newest["messages"]), newest["more"], newest["sequence"]) == (40, True, 61)
    older = (await client.get(f"{world.chat}/history?before={newest['messages'][0]['id']}")).json()
    assert (len(older["messages"]), older["more"]) == (21, False)
    assert older["messages"][-1]["text"] == "第19条"


async def test_read_marks_are_kept(world: World, client: httpx.AsyncClient) -> None:
    first, second = await world.show("一"), await world.show("二")
    assert (await client.post(f"{world.chat}/read", json={"up_to": first})).json() == {"read": 1}
    assert (await client.post(f"{world.chat}/read", json={"up_to": first})).json() == {"read": 0}
    async with world.door.read() as store:
        lines = {line.id: line for line in await store.find(ChatMessage, address=world.address, mine=False)}
    assert lines[first].read_at is not None
    assert lines[second].read_at is None


async def test_fetch_of_unknown_bytes_is_permanent(world: World) -> None:
    with pytest.raises(FetchFailed) as failed:
        [piece async for piece in world.channel.fetch(RemoteFile("photo", "", digest="cd" * 32))]
    assert failed.value.permanent


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"\xff", b'{"kind": 1}', b'{"kind": "text", "address": null}']
)
async def test_parse_of_nonsense_is_a_value_error(world: World, raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a web-chat event|Expecting|decode"):
        world.channel.parse(raw)


async def test_both_languages_have_the_same_words() -> None:
    file = Path(__file__).parents[3] / "bot/channels/webchat/templates/words.toml"
    table = tomllib.loads(file.read_text("utf-8"))
    for part in ("phone", "quick", "reasons"):
        assert set(table["zh-CN"][part]) == set(table["en"][part])
