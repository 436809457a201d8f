"""The screen in a real browser: it changes without reloading, keeps half-written words, and obeys the keyboard."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from desk import acknowledgements
from incidents.model import Place
from tests.web.pictures import jpeg
from tests.web.world import CODE_PLAN, World

pytestmark = pytest.mark.browser
PAGES = ("/board", "/map", "/incidents", "/roll-calls", "/roster", "/log", "/officers", "/settings")


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield opened
        await opened.close()


@asynccontextmanager
async def sitting_at(
    browser: Browser,
    world: World,
    who: str,
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
    expected: str = "",
) -> AsyncIterator[Page]:
    """Somebody's screen; ends with what it complained about, which must be nothing."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    await context.add_cookies([{"name": "muster_desk", "value": await world.session(who), "url": world.base}])
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on(
        "request",
        lambda asked: None if asked.url.startswith((world.base, "data:")) else complaints.append(asked.url),
    )
    yield page
    assert [one for one in complaints if not expected or expected not in one] == []
    await context.close()


async def live(page: Page, url: str) -> None:
    """Open a page and wait until its stream is up."""
    await page.goto(url)
    await expect(page.locator(".link-state")).to_have_class(re.compile(r"\bup\b"))


async def test_the_board_tells_a_fire_and_its_signature_without_reloading(
    browser: Browser, world: World
) -> None:
    async with sitting_at(browser, world, "o-jian") as page:
        await live(page, f"{world.base}/board")
        await page.evaluate("window.sameness = 'still here'")
        await expect(page.locator("body")).to_contain_text("没有在办的事件")
        incident = await world.report("绩东一社区五金铺起火")
        await world.step(incident)
        alarm = page.locator(".card-alarm")
        await expect(alarm).to_contain_text("绩东一社区五金铺起火")
        await expect(alarm).to_contain_text("无人签收")
        await expect(page.locator(".figure.alarm").first).to_contain_text("1")
        await world.sign(incident)
        await expect(alarm).to_have_count(0)
        await expect(page.locator("body")).to_contain_text("陈志强 签收")
        assert await page.evaluate("window.sameness") == "still here"


async def test_a_roll_call_fills_up_on_the_board_with_its_passcode(browser: Browser, world: World) -> None:
    async with sitting_at(browser, world, "o-jian") as page:
        await live(page, f"{world.base}/board")
        call = await world.call_roll(CODE_PLAN)
        await expect(page.locator(".passcode-wall b")).to_have_text(call.passcode)
        await expect(page.locator(".answer-dot.waiting")).to_have_count(1)
        await world.answer(call, "o-chen", call.passcode)
        await expect(page.locator(".answer-dot.present")).to_have_count(1)
        await world.close_roll(call)
        await expect(page.locator(".passcode-wall")).to_have_count(0)
        await expect(page.locator(".card-closed")).to_contain_text("到岗 1")


async def test_half_written_words_survive_news(browser: Browser, world: World) -> None:
    incident = await world.report("起火")
    await world.step(incident)
    await world.sign(incident)
    async with sitting_at(browser, world, "o-chen") as page:
        await live(page, f"{world.base}/incidents/{incident.number}")
        await page.locator("summary", has_text="办结").click()
        await page.fill("#outcome", "明火已经扑灭，正在")
        async with world.door.open() as desk:
            await acknowledgements.mark_told(desk, incident.id, await world.officer("o-liang"), "phone")
        await expect(page.locator(".timeline")).to_contain_text("电话报告已报")
        await expect(page.locator("#outcome")).to_be_focused()
        assert await page.input_value("#outcome") == "明火已经扑灭，正在"
        await page.keyboard.type("清点。")
        await page.locator("button", has_text="提交").click()
        await expect(page.locator(".said")).to_have_text("已办结")
        assert (await world.read(incident)).outcome == "明火已经扑灭，正在清点。"


async def test_an_incident_is_signed_from_the_keyboard_alone(browser: Browser, world: World) -> None:
    incident = await world.report("起火")
    await world.step(incident)
    async with sitting_at(browser, world, "o-chen") as page:
        await live(page, f"{world.base}/board")
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.classList.contains('title')"):
                break
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "the focus must be seen"
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("起火")
        button = page.get_by_role("button", name="签收，由我负责")
        for _ in range(30):
            await page.keyboard.press("Tab")
            if await button.evaluate("button => button === document.activeElement"):
                break
        await page.keyboard.press("Enter")
        await expect(page.locator(".said")).to_have_text("已签收")
    assert (await world.read(incident)).signed_by == "o-chen"


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_roster_opens_at_today_with_its_posts_above(
    browser: Browser, world: World, width: int
) -> None:
    async with sitting_at(browser, world, "o-chen", width=width, height=700) as page:
        await live(page, f"{world.base}/roster")
        await expect(page.locator("tr.today th")).to_contain_text("11-24")
        seen = """() => {
            const box = document.querySelector('.roster .table-scroll').getBoundingClientRect();
            const head = document.querySelector('.roster thead th').getBoundingClientRect();
            const row = document.querySelector('tr.today').getBoundingClientRect();
            const low = Math.min(box.bottom, innerHeight);
            return [Math.abs(head.top - box.top) < 2, row.top >= head.bottom, row.bottom <= low];
        }"""
        assert await page.evaluate(seen) == [True, True, True]


async def test_incidents_appear_on_the_map_where_they_were_reported(browser: Browser, world: World) -> None:
    async with sitting_at(browser, world, "o-jian") as page:
        await live(page, f"{world.base}/map")
        await expect(page.locator("#map path.area")).to_have_count(23)
        await expect(page.locator("body")).to_contain_text("示意边界")
        await expect(page.locator("body")).to_contain_text("GeoNames")
        await expect(page.locator(".pin")).to_have_count(0)
        incident = await world.report("五金铺起火", Place(22.6741, 113.2402, "绩东一社区"))
        await expect(page.locator(".pin.unsigned")).to_have_count(1)
        await expect(page.locator("#map-said")).to_contain_text("五金铺起火")
        await expect(page.locator("#map .area-alarm")).to_have_count(1)
        pin = page.locator(".leaflet-marker-icon")
        await pin.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".leaflet-popup")).to_contain_text("无人签收")
        await world.step(incident)
        await world.sign(incident)
        await expect(page.locator(".leaflet-popup")).to_contain_text("陈志强 签收")
        await expect(page.locator("#map .area-alarm")).to_have_count(0)
        await page.locator(".leaflet-popup a", has_text="五金铺起火").click()
        await expect(page.locator("h1")).to_have_text("五金铺起火")


async def test_the_pin_stands_in_the_cell_of_its_township(browser: Browser, world: World) -> None:
    await world.report("起火", Place(22.6741, 113.2402, "小榄"))
    async with sitting_at(browser, world, "o-jian") as page:
        await live(page, f"{world.base}/map")
        await expect(page.locator(".pin")).to_have_count(1)
        where = """() => {
            const pin = document.querySelector('.leaflet-marker-icon').getBoundingClientRect();
            const point = [pin.left + pin.width / 2, pin.top + 36];
            const below = document.elementsFromPoint(...point).find((e) => e.matches('path.area'));
            return below?.classList.contains('area-alarm') ?? null;
        }"""
        await page.wait_for_function(f"({where})() === true")


async def test_an_incident_told_in_words_alone_stands_at_its_unit_as_a_rough_place(
    browser: Browser, world: World
) -> None:
    for words in ("仓库起火", "工棚起火"):
        await world.report(words, Place(text="小榄镇某处"))
    async with sitting_at(browser, world, "o-jian") as page:
        await live(page, f"{world.base}/map")
        await expect(page.locator(".pin.near.unsigned")).to_have_count(2)
        first, second = [await one.bounding_box() for one in await page.locator(".leaflet-marker-icon").all()]
        assert first and second and abs(first["x"] - second["x"]) > 20 and first["y"] == second["y"]
        await page.locator("[data-show]").first.click()
        await expect(page.locator(".leaflet-popup")).to_contain_text("大致位置")
        await expect(page.locator(".leaflet-popup")).to_contain_text("标在小榄镇")
        await expect(page.locator("#panel")).to_contain_text("（大致位置）")


async def test_on_a_narrow_phone_the_whole_map_and_its_cards_are_in_sight(
    browser: Browser, world: World
) -> None:
    for number in range(6):
        await world.report(f"第{number}处起火", Place(22.67, 113.24 + number / 100, "小榄"))
    async with sitting_at(browser, world, "o-jian", width=360, height=740) as page:
        await live(page, f"{world.base}/map")
        await expect(page.locator("#panel [data-show]")).to_have_count(6)
        lowest = """() => Math.max(...[...document.querySelectorAll('#map path.area')]
            .map((one) => one.getBoundingClientRect().bottom))"""
        top = "() => document.getElementById('panel').getBoundingClientRect().top"
        await page.wait_for_function(f"({lowest})() <= ({top})()")
        before = await page.evaluate(lowest)
        await page.locator("[data-fold]").click()
        await page.wait_for_function(f"({lowest})() > {before} + 50 && ({lowest})() <= ({top})()")
        await page.locator("[data-fold]").click()
        await page.locator("[data-show]").first.click()
        seen = """() => { const card = document.querySelector('.leaflet-popup')?.getBoundingClientRect();
            return card && card.left >= 0 && card.right <= innerWidth && card.top >= 88
              && card.bottom <= document.getElementById('panel').getBoundingClientRect().top; }"""
        await page.wait_for_function(seen)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
async def test_every_page_fits_and_complains_of_nothing(
    browser: Browser, world: World, width: int, dark: bool
) -> None:
    incident = await world.report("很长的标题" * 20, Place(22.67, 113.24, "很长的地名" * 20), photo=jpeg())
    await world.step(incident)
    call = await world.call_roll(CODE_PLAN)
    paths = (*PAGES, f"/incidents/{incident.number}", f"/roll-calls/{call.id}")
    async with sitting_at(browser, world, "o-jian", width=width, height=800, dark=dark) as page:
        for path in paths:
            await live(page, world.base + path)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            small = await page.evaluate(
                """[...document.querySelectorAll('main button, main select, main input:not([type=hidden])')]
                .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 24)
                .map((e) => e.outerHTML.slice(0, 80))"""
            )
            assert small == [], path
        await page.goto(f"{world.base}/board")
        watch = await page.locator(".card-watch").bounding_box()
        roll = await page.locator(".card-call").bounding_box()
        assert watch and roll
        assert watch["y"] <= roll["y"], "who is on watch stands above the long list"


async def test_a_lost_connection_is_said_and_healed(browser: Browser, world: World) -> None:
    async with sitting_at(browser, world, "o-jian", expected="ERR_FAILED") as page:
        await live(page, f"{world.base}/board")
        await page.route("**/live*", lambda route: route.abort())
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator(".link-state.down")).to_have_text("连接中断")
        await world.report("断线时的起火")
        await page.unroute("**/live*")
        await expect(page.locator(".link-state.up")).to_have_text("实时", timeout=15_000)
        await expect(page.locator("body")).to_contain_text("断线时的起火")


async def test_a_signed_out_screen_goes_to_the_sign_in_page_by_itself(browser: Browser, world: World) -> None:
    async with sitting_at(browser, world, "o-chen") as page:
        await live(page, f"{world.base}/board")
        async with world.door.open() as desk:
            await desk.store.change(await world.officer("o-chen"), active=False)
        await expect(page.locator("#who")).to_be_visible()
        assert page.url.endswith("/sign-in?next=%2Fboard")
