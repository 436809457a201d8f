"""Files put with WeCom: the platform's bounds, and a message that carries one by its media id."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from bot.channels.redaction import Redaction
from bot.channels.troubles import Troubles
from bot.channels.wecom import files
from bot.channels.wecom.api import Api
from bot.channels.wecom.faults import Health, Refused, Unknown, Unsent
from desk.model import RemoteFile
from tests.bot.channels.wecom_line import WeComLine, open_line
from tests.fakes.telegram_media import SMALL_JPEG

MIB = 1024 * 1024


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[WeComLine]:
    async with open_line(tmp_path) as line:
        await line.until(lambda: line.fake.world.menu)  # What the start asks for is over.
        yield line


@asynccontextmanager
async def calls_of(line: WeComLine) -> AsyncIterator[Api]:
    """The application's calls by themselves."""
    troubles = Troubles("wecom", line.services.trouble)
    api = Api(line.settings, line.clock, Redaction(line.settings.secret), Health(line.settings, troubles))
    try:
        yield api
    finally:
        await api.close()


@pytest.mark.parametrize(
    ("kind", "wecom_kind"), [("photo", "image"), ("voice", "voice"), ("video", "video"), ("file", "file")]
)
async def test_a_file_goes_up_is_shown_by_its_id_and_comes_down_to_the_byte(
    line: WeComLine, kind: str, wecom_kind: str
) -> None:
    async with calls_of(line) as api:
        media_id = await files.upload(api, kind, "现场.jpg", SMALL_JPEG)
        body = {"touser": line.address, "agentid": line.settings.agent_id, "msgtype": wecom_kind}
        await api.call("message/send", {**body, wecom_kind: {"media_id": media_id}})
    shown = line.person.last
    assert (shown.kind, shown.content["media_id"]) == (wecom_kind, media_id)
    assert line.fake.world.media[media_id].name == "现场.jpg"
    assert b"".join([piece async for piece in line.channel.fetch(RemoteFile(kind, media_id))]) == SMALL_JPEG


@pytest.mark.parametrize(
    ("kind", "bytes_max"),
    [("photo", 10 * MIB), ("voice", 2 * MIB), ("video", 10 * MIB), ("file", 20 * MIB)],
)
async def test_the_greatest_file_goes_and_one_byte_more_is_not_even_sent(
    line: WeComLine, kind: str, bytes_max: int
) -> None:
    async with calls_of(line) as api:
        assert await files.upload(api, kind, "x", bytes(bytes_max))
        for count in (bytes_max + 1, files.UPLOAD_BYTES_MIN - 1):
            with pytest.raises(ValueError, match=str(count)):
                await files.upload(api, kind, "x", bytes(count))
    assert line.fake.calls["media/upload"] == 1


async def test_fault_14_an_upload_with_a_revoked_token_is_made_once_more(line: WeComLine) -> None:
    async with calls_of(line) as api:
        await files.upload(api, "photo", "a.jpg", SMALL_JPEG)
        line.fake.revoke_tokens()
        media_id = await files.upload(api, "photo", "b.jpg", SMALL_JPEG)
    assert line.fake.world.media[media_id].content == SMALL_JPEG
    assert line.fake.calls["gettoken"] >= 2 and len(line.fake.world.media) == 2


@pytest.mark.parametrize("fault", ["502", "half_json", "timeout_before"])
async def test_fault_11_an_upload_without_an_answer_is_unknown_and_may_be_repeated(
    line: WeComLine, fault: str
) -> None:
    async with calls_of(line) as api:
        await files.upload(api, "photo", "a.jpg", SMALL_JPEG)  # The token is there from now on.
        line.fake.fail_next("media/upload", fault)
        with pytest.raises(Unknown):
            await files.upload(api, "photo", "a.jpg", SMALL_JPEG)
        assert await files.upload(api, "photo", "a.jpg", SMALL_JPEG)


async def test_a_refused_upload_names_the_vendors_code(line: WeComLine) -> None:
    async with calls_of(line) as api:
        line.fake.fail_next("media/upload", "errcode", errcode=45009)
        with pytest.raises(Refused) as refusal:
            await files.upload(api, "photo", "a.jpg", SMALL_JPEG)
    assert refusal.value.code == 45009


async def test_a_name_that_people_gave_cannot_break_the_request(line: WeComLine) -> None:
    async with calls_of(line) as api:
        media_id = await files.upload(api, "file", 'a"; filename="b\r\nX: y/../报告.pdf', SMALL_JPEG)
        nameless = await files.upload(api, "file", "\r\n", SMALL_JPEG)
    kept = line.fake.world.media[media_id]
    assert kept.content == SMALL_JPEG and kept.name.endswith("报告.pdf")
    assert not set('"\r\n/;') & set(kept.name)
    assert line.fake.world.media[nameless].name == "file"


async def test_fault_10_an_upload_that_never_left_is_unsent(line: WeComLine) -> None:
    async with calls_of(line) as api:
        line.fake.fail_next("gettoken", "502")
        with pytest.raises(Unsent):
            await files.upload(api, "photo", "a.jpg", SMALL_JPEG)
    assert line.fake.calls["media/upload"] == 0
