"""Photos on the desk: shown as clean small copies, kept whole as evidence (rows of faults.md, section 6)."""

import io
import re

import pytest
from PIL import Image

from desk.attachments import given_up
from incidents.model import Attachment, AttachmentState
from tests.web.pictures import jpeg
from tests.web.world import World


async def copy_of(world: World, content: bytes) -> tuple[int, bytes]:
    """What the desk shows of a photo that came with a report."""
    incident = await world.report("起火", photo=content)
    client = await world.signed_in("o-jian")
    html = (await client.get(f"/incidents/{incident.number}")).text
    found = re.search(r'src="(/attachments/[0-9a-f]{64}/copy)"', html)
    assert found
    answer = await client.get(found[1])
    again = await client.get(found[1])
    assert (again.status_code, again.content) == (
        answer.status_code,
        answer.content,
    ) or answer.status_code == 404
    return answer.status_code, answer.content


async def test_a_big_photo_is_shown_small_and_upright(world: World) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Held on its side.
    status, content = await copy_of(world, jpeg(4000, 3000, exif=exif))
    assert status == 200
    with Image.open(io.BytesIO(content)) as shown:
        assert shown.size == (1200, 1600)


async def test_input_41_no_place_or_script_in_exif_reaches_the_screen(world: World) -> None:
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script>"
    exif.get_ifd(0x8825)[1] = "N"
    status, content = await copy_of(world, jpeg(exif=exif))
    assert status == 200
    assert b"script" not in content
    with Image.open(io.BytesIO(content)) as shown:
        assert not shown.getexif()


async def test_input_39_a_picture_bomb_is_not_opened(world: World) -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    assert (await copy_of(world, bomb.getvalue()))[0] == 404
    assert (await (await world.signed_in("o-jian")).get("/board")).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script>",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"SIMPLE  =                    T",
        b"\xff\xd8\xff",
        b"x",
    ],
    ids=["svg", "html", "postscript", "fits", "only-a-beginning", "one-byte"],
)
async def test_input_42_what_is_no_photo_is_not_shown(world: World, content: bytes) -> None:
    assert (await copy_of(world, content))[0] == 404


async def test_input_43_a_truncated_photo_is_shown_as_far_as_it_came(world: World) -> None:
    noise = Image.effect_noise((600, 400), 80).convert("RGB")
    whole = io.BytesIO()
    noise.save(whole, "JPEG")
    status, content = await copy_of(world, whole.getvalue()[: len(whole.getvalue()) // 2])
    assert status == 200
    assert content.startswith(b"\xff\xd8\xff")


async def test_input_43_of_a_moving_picture_the_first_frame_is_shown(world: World) -> None:
    frames = [Image.new("P", (60, 40), shade) for shade in range(200)]
    moving = io.BytesIO()
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    status, content = await copy_of(world, moving.getvalue())
    assert status == 200
    with Image.open(io.BytesIO(content)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (60, 40))


@pytest.mark.parametrize(
    "name", ["../../etc/x", "CON", "x" * 300, "cod\u202eexe.jpg", '"; filename="x.html', "a\r\nb"]
)
async def test_input_44_a_download_is_named_without_harm(world: World, name: str) -> None:
    incident = await world.report("起火", photo=jpeg(), file_name=name)
    client = await world.signed_in("o-jian")
    html = (await client.get(f"/incidents/{incident.number}")).text
    found = re.search(r'href="(/attachments/[0-9a-f]{64})"', html)
    assert found
    answer = await client.get(found[1])
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[\w%.~-]+", answer.headers["content-disposition"])
    assert answer.content == jpeg()


async def test_a_photo_still_on_its_way_or_lost_is_said_in_its_place(world: World) -> None:
    incident = await world.report("起火")
    now = world.clock.now()
    async with world.door.open() as desk:
        await desk.store.add(
            Attachment("A1", "telegram", "f", "photo", now, "o-mei", incident.id),
            Attachment("A2", "telegram", "g", "photo", now, "o-mei", incident.id),
        )
        assert await given_up(desk, "A2", "link expired", refused=False)
    html = (await (await world.signed_in("o-jian")).get(f"/incidents/{incident.number}")).text
    assert "正在取回" in html
    assert "没有取到" in html
    assert "附件缺失" in html
    async with world.door.read() as store:
        assert await store.count(Attachment, state=AttachmentState.waiting) == 1
