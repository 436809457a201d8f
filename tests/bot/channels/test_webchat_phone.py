"""The phone page in a real Chromium, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from bot.channels.webchat.uploads import Uploads
from bot.media import MediaFolder
from desk.departures import revoke_links
from desk.model import Card, Rendered
from tests.bot.channels.webchat_world import World, jpeg, open_world

pytestmark = [pytest.mark.asyncio, pytest.mark.browser]
CHROMIUM = "/usr/bin/chromium"


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        await opened.close()


@pytest_asyncio.fixture
async def page(browser: Browser, world: World) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport={"width": 360, "height": 740},
        geolocation={"latitude": 22.6712, "longitude": 113.2521, "accuracy": 18},
        permissions=["geolocation"],
    )
    opened = await context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    await opened.goto(world.chat)
    await expect(opened.locator("#link.up")).to_be_visible()
    yield opened
    await context.close()
    assert faults == []


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait until something becomes true, or fail."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)


async def write(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.click("#send")


async def test_text_is_sent_and_ticked(world: World, page: Page) -> None:
    await write(page, "东城路有积水\n车过不去")
    await expect(page.locator(".line.mine:not(.waiting)").last).to_contain_text("车过不去")
    assert (await world.heard())[-1].text == "东城路有积水\n车过不去"
    assert await page.input_value("#text") == ""


async def test_quick_button_says_its_word(world: World, page: Page) -> None:
    await page.get_by_role("button", name="点名到岗").click()
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(2)
    assert (await world.heard())[-1].text == "到"


async def test_photo_is_sent_with_its_words(world: World, page: Page) -> None:
    photos = [
        {"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": jpeg(shade=s)}
        for n, s in ((1, "red"), (2, "blue"))
    ]
    await page.set_input_files("#camera", photos)  # type: ignore[arg-type]  # Playwright takes these dicts.
    await expect(page.locator("#tray img")).to_have_count(2)
    await write(page, "厂房冒烟")
    shown = page.locator(".line.mine:not(.waiting) .photo img")
    await expect(shown).to_have_count(2)
    heard = (await world.heard())[-1]
    assert (heard.kind, heard.text, len(heard.files)) == ("media", "厂房冒烟", 2)
    await page.wait_for_function(
        "[...document.querySelectorAll('.photo img')].every((i) => i.naturalWidth > 0)"
    )


async def test_position_of_the_phone_is_sent(world: World, page: Page) -> None:
    await page.click("#place")
    await page.click("#place-here")
    await page.click("#place-send:enabled")
    await expect(page.locator(".line.mine:not(.waiting) .place")).to_be_visible()
    place = (await world.heard())[-1].place
    assert (place.lat, place.lon, place.accuracy_metres) == (22.6712, 113.2521, 18)


async def test_buttons_are_used_once_and_stay_used(world: World, page: Page) -> None:
    await world.show("点名：请在 5 分钟内应答", ("到岗", "present:R1"), ("请假", "leave:R1"))
    button = page.locator('[data-token="present:R1"]')
    await button.dblclick()
    await expect(button).to_be_disabled()
    await expect(page.locator(".press:not(.waiting)")).to_contain_text("到岗")
    presses = [event for event in await world.heard() if event.kind == "choice"]
    assert [(press.verb, press.ref) for press in presses] == [("present", "R1")]
    await page.reload()
    await expect(page.locator('[aria-pressed="true"]')).to_have_text("到岗")
    await expect(page.get_by_role("button", name="请假")).to_be_disabled()


async def test_card_is_amended_in_place(world: World, page: Page) -> None:
    card = await world.show("请签收", ("签收", "sign:I1"))
    await world.show("后面的消息")
    await expect(page.locator(".ours")).to_have_count(2)
    await world.channel.amend(Rendered("已由陈志强签收"), [Card(world.address, card)])
    await expect(page.locator(".ours").first).to_contain_text("已由陈志强签收")
    await expect(page.get_by_role("button", name="签收", exact=True)).to_have_count(0)
    await expect(page.locator(".ours")).to_have_count(2)


async def test_answering_a_message_names_it(world: World, page: Page) -> None:
    card = await world.show("ZS-20261123-004 已收到")
    await page.get_by_role("button", name="回复").click()
    await write(page, "火已扑灭")
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(2)
    assert (await world.heard())[-1].reply_to == card


async def test_unsent_messages_are_kept_and_delivered_once(world: World, page: Page) -> None:
    before = len(await world.inbox())
    await world.stop()
    await page.set_input_files("#camera", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    await write(page, "断网时的第一条")
    await write(page, "断网时的第二条")
    await expect(page.locator(".waiting")).to_have_count(2)
    await expect(page.locator("#banner")).to_contain_text("保存在手机上")
    assert len(await world.inbox()) == before
    await world.start()
    await expect(page.locator(".waiting")).to_have_count(0, timeout=40_000)
    await expect(page.locator("#banner")).to_be_hidden()
    heard = (await world.heard())[before:]
    assert [event.text for event in heard] == ["断网时的第一条", "断网时的第二条"]
    assert [len(event.files) for event in heard] == [1, 0]
    await expect(page.locator(".line.mine")).to_have_count(3)


async def test_unsent_messages_outlive_the_page(world: World, page: Page) -> None:
    before = len(await world.inbox())
    await page.route("**/messages", lambda route: route.abort())
    await page.set_input_files("#camera", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    await write(page, "关页前写的")
    await expect(page.locator(".waiting")).to_have_count(1)
    await page.unroute("**/messages")
    await page.reload()
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(2)
    heard = (await world.heard())[before:]
    assert [(event.text, len(event.files)) for event in heard] == [("关页前写的", 1)]


async def test_fault_23_a_photo_nobody_can_keep_holds_up_no_word(
    world: World, page: Page, tmp_path: Path
) -> None:
    full = MediaFolder(tmp_path / "full", free_bytes_min=2**62)
    full.open()
    roomy, world.channel.uploads = world.channel.uploads, Uploads(world.door, full)
    before = len(await world.inbox())
    await page.set_input_files("#camera", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    await write(page, "有照片的一条")
    await write(page, "后面的急报")
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(3)
    heard = (await world.heard())[before:]
    assert [(event.text, len(event.files)) for event in heard] == [("有照片的一条", 0), ("后面的急报", 0)]
    await expect(page.locator(".waiting")).to_contain_text("磁盘")
    await page.screenshot(path=str(tmp_path / "no-room.png"))
    world.channel.uploads = roomy
    await page.locator(".waiting button").first.click()
    await eventually(lambda: _heard_so_many(world, before + 3))
    assert len((await world.heard())[-1].files) == 1


async def _heard_so_many(world: World, count: int) -> bool:
    return len(await world.inbox()) >= count


async def test_fault_2_a_lost_answer_does_not_double_the_message(world: World, page: Page) -> None:
    before, lost = len(await world.inbox()), 0

    async def lose(route: Route) -> None:
        nonlocal lost
        lost += 1
        await route.fetch()
        if lost == 1:
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/messages", lose)
    await write(page, "回执丢失")
    await eventually(lambda: _is(lost >= 2))
    await expect(page.locator(".line.mine")).to_have_count(2)
    assert len(await world.inbox()) == before + 1


async def _is(value: bool) -> bool:
    return value


async def test_stream_resumes_after_a_restart(world: World, page: Page) -> None:
    await world.show("停机前")
    await expect(page.locator(".ours")).to_have_count(1)
    await world.stop()
    await world.show("停机时")
    await world.start()
    await expect(page.locator(".ours")).to_have_count(2, timeout=30_000)
    await world.show("开机后")
    await expect(page.locator(".ours")).to_have_count(3)


async def test_written_text_survives_a_reload(page: Page) -> None:
    await page.fill("#text", "写到一半的长报告")
    await page.reload()
    assert await page.input_value("#text") == "写到一半的长报告"


async def test_input_11_a_long_text_goes_out_in_parts(world: World, page: Page) -> None:
    before = len(await world.inbox())
    await write(page, "长" * 45_000)
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(4, timeout=20_000)
    assert [len(event.text) for event in (await world.heard())[before:]] == [20_000, 20_000, 5_000]


@pytest.mark.parametrize(
    "text",
    [
        "<script>document.title='x'</script>",
        '"><img src=x onerror="document.title=1">',
        "javascript:alert(1)",
    ],
)
async def test_input_14_markup_is_shown_literally(world: World, page: Page, text: str) -> None:
    title = await page.title()
    await write(page, text)
    await world.show(text, (text[:20], "sign:I1"))
    for side in (".mine:not(.waiting)", ".ours"):
        await expect(page.locator(f"{side} .words").last).to_have_text(text)
    assert await page.title() == title


async def test_21_mb_is_refused_on_the_phone(page: Page, tmp_path: Path) -> None:
    big = tmp_path / "big.mp4"
    with big.open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    await page.set_input_files("#file", big)
    await expect(page.locator("#notice")).to_contain_text("20 MB")
    await expect(page.locator("#tray li")).to_have_count(0)


async def test_refused_message_stays_with_its_reason(world: World, page: Page) -> None:
    refusal = '{"code": "x", "reason": "没有收下：试验。"}'
    await page.route("**/messages", lambda route: route.fulfill(status=400, body=refusal))
    await write(page, "不收的")
    await expect(page.locator(".failed")).to_contain_text("没有收下：试验。")
    await page.unroute("**/messages")
    await page.get_by_role("button", name="重新发送").click()
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(2)


async def test_revoked_link_says_so_and_keeps_what_was_written(world: World, page: Page) -> None:
    async with world.door.open() as desk:
        await revoke_links(desk, "o1", None)
    await write(page, "还没送出")
    await expect(page.locator("#banner")).to_contain_text("链接已失效")
    await expect(page.locator(".waiting")).to_have_count(1)


async def test_keyboard_alone_sends_and_answers(world: World, page: Page) -> None:
    await world.show("请签收", ("签收", "sign:I1"))
    await page.focus("#text")
    await page.keyboard.type("键盘")
    await page.keyboard.press("Enter")
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(2)
    await page.get_by_role("button", name="签收", exact=True).focus()
    await page.keyboard.press("Space")
    await expect(page.locator(".press:not(.waiting)")).to_have_count(1)


@pytest.mark.parametrize("width", [320, 360, 768])
async def test_no_sideways_scroll(world: World, page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 568})
    await world.show(
        "很长的一句" * 40 + "x" * 300, *((f"第{n}个很长的选项按钮", f"pick:{n}") for n in range(5))
    )
    await write(page, "y" * 500)
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(2)
    await page.click("#place")
    widths = "[document.documentElement.scrollWidth, document.getElementById('scroll').scrollWidth]"
    page_width, log_width = await page.evaluate(widths)
    assert page_width <= width
    assert log_width <= width
    small = """[...document.querySelectorAll("footer button, .tool, .choices button, #send")]
        .filter((b) => b.offsetParent && b.offsetHeight < 40).length"""
    assert await page.evaluate(small) == 0


async def test_a_page_without_random_uuid_or_database_still_sends(world: World, browser: Browser) -> None:
    page = await browser.new_page()
    await page.add_init_script("delete Crypto.prototype.randomUUID; delete window.indexedDB;")
    await page.add_init_script(
        "Object.defineProperty(window, 'indexedDB', {get() { throw new Error('no'); }});"
    )
    await page.goto(world.chat)
    await write(page, "旧手机")
    await expect(page.locator(".line.mine:not(.waiting)")).to_have_count(2)
    assert (await world.heard())[-1].text == "旧手机"
    await page.close()


async def test_input_14_only_this_desks_own_addresses_are_links(world: World, page: Page) -> None:
    own, foreign = f"{world.base}/incidents/ZS-20261123-004", "https://evil.example/incidents/1"
    await world.show(f"火灾\n{own}\n{foreign}\n按【签收】")
    words = page.locator(".ours .words").last
    await expect(words.locator("a")).to_have_attribute("href", own)
    assert await words.text_content() == f"火灾\n{own}\n{foreign}\n按【签收】"
    await write(page, own)
    await expect(page.locator(".mine:not(.waiting) .words").last).to_have_text(own)
    await expect(page.locator("a[href*=incidents]")).to_have_count(1)


async def test_a_page_of_twenty_lines_is_read_without_scrolling_inside_it(world: World, page: Page) -> None:
    await world.show("\n".join(f"第{number}行" for number in range(20)), ("签收", "sign:I1"))
    words = page.locator(".ours .words").last
    await expect(words).to_contain_text("第19行")
    assert await words.evaluate("(one) => one.scrollHeight <= one.clientHeight")
