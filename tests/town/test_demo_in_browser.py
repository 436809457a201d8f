"""The demonstration town as a newcomer meets it: the whole desk without a configuration, in a real Chromium."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FrameLocator, Page, async_playwright, expect

from bot.app import App, running
from bot.config import load
from tests.town.world import MovedClock, free_port

pytestmark = pytest.mark.browser
VILLAGE, OFFICER, LEADER, OFFICE = range(4)

expect.set_options(timeout=20_000)


class Demo:
    """A town started without a configuration, and its clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovedClock()
        self._environ = {
            "MUSTER_DATABASE__URL": f"sqlite+aiosqlite:///{folder}/muster.db",
            "MUSTER_ATTACHMENTS__PATH": f"{folder}/attachments",
            "MUSTER_WEB__PORT": str(free_port()),
        }

    @asynccontextmanager
    async def open_desk(self) -> AsyncIterator[App]:
        """The desk runs inside the block."""
        config = load(None, self._environ)
        assert config.demonstration
        async with running(config, self.clock) as app:
            yield app


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path)


@pytest_asyncio.fixture
async def app(demo: Demo) -> AsyncIterator[App]:
    async with demo.open_desk() as opened:
        yield opened


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield opened
        await opened.close()


@asynccontextmanager
async def open_page(browser: Browser, url: str, width: int = 1920, height: int = 1080) -> AsyncIterator[Page]:
    """A page on which nothing goes wrong unseen."""
    faults: list[str] = []
    page = await browser.new_page(viewport={"width": width, "height": height})
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    await page.goto(url)
    yield page
    assert faults == []
    await page.close()


def phone(page: Page, number: int) -> FrameLocator:
    """One of the four phones."""
    return page.frame_locator(f".demo-phones iframe >> nth={number}")


async def answer(page: Page, number: int, label: str) -> None:
    """Press a button of the newest message of a phone."""
    await phone(page, number).get_by_role("button", name=label, exact=True).last.click()


async def test_who_stays_silent_is_named_to_the_leader(demo: Demo, app: App, browser: Browser) -> None:
    async with open_page(browser, app.url) as page:
        await page.get_by_role("button", name="立即点名").click()
        await expect(phone(page, OFFICER).locator(".ours").last).to_contain_text("点名")
        for number in (VILLAGE, LEADER):
            await answer(page, number, "到岗")
            await expect(phone(page, number).locator(".ours").first).to_contain_text("已记录")
        await expect(page.locator("#board .card-call")).to_contain_text("吴健芬")
        demo.clock.ahead += timedelta(minutes=20, seconds=1)
        app.queue.wake()
        await expect(phone(page, LEADER).locator(".ours").last).to_contain_text("吴健芬")
        await expect(phone(page, OFFICE).locator(".ours").last).to_contain_text("应到 3")
        await expect(page.locator("#board .card-log")).to_contain_text("吴健芬 未应答，已告知 李永昌")
        await expect(page.locator("#board .card-closed")).to_contain_text("应到 3 · 到岗 2 · 未应答 1")


async def test_a_fire_climbs_to_the_leader_and_stands_on_the_map(app: App, browser: Browser) -> None:
    async with open_page(browser, app.url) as page:
        await page.get_by_role("switch", name="快钟").click()
        await expect(page.locator("#clock-note")).to_contain_text("1 分钟按 1 秒走")
        await page.get_by_role("button", name="模拟火情").click()
        await expect(phone(page, VILLAGE).locator(".photo img")).to_be_visible()
        await expect(phone(page, OFFICER).locator(".ours").last).to_contain_text("五金厂")
        await expect(phone(page, LEADER).locator(".ours").last).to_contain_text("无人签收")
        await answer(page, LEADER, "签收")
        await expect(phone(page, VILLAGE).locator(".ours").last).to_contain_text("李永昌 签收")
        await expect(phone(page, OFFICER).locator(".ours").last).to_contain_text("李永昌 已签收")
        row = page.locator("#board .incident-row", has_text="五金厂")
        await expect(row).to_contain_text("李永昌 签收")
        number = await row.locator(".number").inner_text()
        async with open_page(browser, f"{app.url}/map") as shown:
            await expect(shown.locator(".map-panel")).to_contain_text(number)
            await expect(shown.locator(f'.leaflet-marker-icon[title*="{number}"]')).to_be_visible()
        async with open_page(browser, f"{app.url}/incidents/{number}") as told:
            await expect(told.locator("main")).to_contain_text("升级通知 李永昌")
            await expect(told.locator("main img").first).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900), (1920, 1080)])
async def test_four_phones_and_the_board_are_in_view(
    app: App, browser: Browser, width: int, height: int
) -> None:
    async with open_page(browser, app.url, width, height) as page:
        await expect(page.locator("#board .card").first).to_be_visible()
        shown = [*await page.locator(".demo-screen").all(), page.locator("#board")]
        assert len(shown) == 5
        for one in shown:
            box = await one.bounding_box()
            assert box is not None
            assert box["width"] >= 200 and box["height"] >= 0.6 * height
            assert box["x"] + box["width"] <= width and box["y"] + box["height"] <= height
        hint = await page.locator(".demo-hint").bounding_box()
        assert hint is not None and hint["height"] < 48  # What to try first, in one line.


async def test_on_a_phone_the_page_scrolls_down_only(app: App, browser: Browser) -> None:
    async with open_page(browser, app.url, 360, 740) as page:
        await expect(page.locator("#board .card").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await expect(page.get_by_role("button", name="立即点名")).to_be_in_viewport()
        await expect(phone(page, VILLAGE).locator("#empty")).to_be_in_viewport()


async def test_a_second_start_keeps_what_the_phones_show(demo: Demo, browser: Browser) -> None:
    async with demo.open_desk() as app, open_page(browser, app.url) as page:
        await page.get_by_role("button", name="立即点名").click()
        await answer(page, VILLAGE, "到岗")
        await expect(phone(page, VILLAGE).locator(".ours")).to_contain_text("已记录")
        links = await page.locator(".demo-phones iframe").evaluate_all("all => all.map((one) => one.src)")
    async with demo.open_desk() as app, open_page(browser, app.url) as page:
        await expect(phone(page, VILLAGE).locator(".ours")).to_contain_text("已记录")
        again = await page.locator(".demo-phones iframe").evaluate_all("all => all.map((one) => one.src)")
        assert again == links
        await expect(page.locator("#board .card-call")).to_contain_text("立即点名")
