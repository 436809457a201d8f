"""The demonstration page: four phones beside the board, and buttons only our own page may press."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bot.channels.webchat.links import find_holder
from bot.channels.webchat.rehearsal import report_fire
from desk.model import Rendered
from incidents.model import Place
from tests.bot.channels.webchat_world import World, open_world
from web.demo import DemoPhone, make_routes

pytestmark = pytest.mark.asyncio
STATIC = Path(__file__).parents[2] / "web/static"


@dataclass
class Town:
    """A small town behind the buttons: both officers have two of the four phones each."""

    world: World
    speed: float = 1.0
    calls: list[str] = field(default_factory=list)

    async def phones(self) -> Sequence[DemoPhone]:
        mei, qiang = self.world.token, self.world.other_token
        roles = (("村信息员", mei), ("值班员", qiang), ("带班领导", mei), ("应急办", qiang))
        return [DemoPhone(role, "李小梅", token) for role, token in roles]

    def is_open_to(self, request: Request) -> bool:
        return not request.headers.get("x-far")

    async def pace(self) -> float:
        return self.speed

    async def set_pace(self, pace: float) -> None:
        self.speed = pace

    async def roll_call(self) -> None:
        self.calls.append("roll_call")
        to = [self.world.address]
        await self.world.channel.send(
            Rendered("点名", (("到岗", "present:R1"),)), to, key=f"call-{len(self.calls)}"
        )

    async def fire(self) -> None:
        async with self.world.door.read() as store:
            holder = await find_holder(store, self.world.token, self.world.door.clock.now())
        assert holder is not None
        place = Place(22.67, 113.25, accuracy_metres=20)
        await report_fire(self.world.channel, holder, "五金厂起火", place)


async def board(request: Request) -> Response:
    """A board that says something new each time."""
    return HTMLResponse("<h2>值班看板</h2>")


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_world(tmp_path) as world:
        town = Town(world)
        await world.stop()
        world.extra_routes = [
            *make_routes(world.door, town, asyncio.Event(), town.is_open_to),
            Route("/fragments/board", board),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        await world.start()
        yield town


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as opened:
        yield opened


async def test_fire_goes_through_the_true_intake(town: Town, client: httpx.AsyncClient) -> None:
    assert (await client.post(f"{town.world.base}/demo/fire")).status_code == 200
    heard = (await town.world.heard())[1:]
    ours = [event for event in heard if event.address == town.world.address and event.text != "在"]
    assert [event.kind for event in ours] == ["place", "media", "text"]
    photo = Path(town.world.channel.media.path(ours[1].files[0].digest)).read_bytes()
    assert photo.startswith(b"\xff\xd8\xff")


async def test_clock_switches_and_says_its_pace(town: Town, client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{town.world.base}/demo/clock?fast=1")
    assert answer.json() == {"pace": 60.0}
    assert "1 分钟按 1 秒走" in (await client.get(town.world.base)).text
    assert (await client.post(f"{town.world.base}/demo/clock?fast=maybe")).status_code in (400, 429)


@pytest.mark.parametrize("path", ["roll-call", "fire", "clock?fast=1"])
async def test_other_sites_and_gets_press_no_button(town: Town, client: httpx.AsyncClient, path: str) -> None:
    url = f"{town.world.base}/demo/{path}"
    assert (await client.post(url, headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await client.post(url, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert (await client.get(url)).status_code == 405
    assert town.calls == []
    assert town.speed == 1.0


async def test_whoever_would_have_to_sign_in_gets_no_phone_and_presses_nothing(
    town: Town, client: httpx.AsyncClient
) -> None:
    far = {"X-Far": "1"}
    page = await client.get(f"{town.world.base}/", headers=far)
    assert (page.status_code, page.headers["location"]) == (303, "/board")
    assert town.world.token not in page.text
    assert (await client.get(f"{town.world.base}/demo/stream", headers=far)).status_code == 403
    for path in ("roll-call", "fire", "clock?fast=1"):
        assert (await client.post(f"{town.world.base}/demo/{path}", headers=far)).status_code == 403
    assert town.calls == [] and town.speed == 1.0


async def test_double_click_calls_once(town: Town, client: httpx.AsyncClient) -> None:
    answers = [await client.post(f"{town.world.base}/demo/roll-call") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert town.calls == ["roll_call"]


@pytest.mark.browser
async def test_everything_is_in_view_and_alive(town: Town) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        await page.goto(town.world.base)
        phones = page.locator(".demo-phones iframe")
        await expect(phones).to_have_count(4)
        for shown in (*await phones.all(), page.locator("#board")):
            box = await shown.bounding_box()
            assert box is not None
            assert box["width"] > 280
            assert box["x"] + box["width"] <= 1920
            assert box["y"] + box["height"] <= 1080
        assert await page.evaluate("document.documentElement.scrollHeight") <= 1080
        await expect(page.locator("#board")).to_contain_text("值班看板")
        await page.get_by_role("button", name="立即点名").click()
        frame = page.frame_locator(".demo-phones iframe").first
        await frame.locator('[data-token="present:R1"]').click(timeout=3000)
        await page.get_by_role("button", name="模拟火情").click()
        await expect(frame.locator(".photo img")).to_be_visible()
        await page.get_by_role("switch", name="快钟").click()
        await expect(page.locator("#clock-note")).to_contain_text("1 分钟按 1 秒走")
        assert town.speed == 60.0
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        board_box = await page.locator("#board").bounding_box()
        phones_box = await page.locator(".demo-phones").bounding_box()
        assert board_box
        assert phones_box
        assert board_box["y"] >= phones_box["y"] + phones_box["height"]
        assert await page.evaluate(
            "(e => e.scrollWidth > e.clientWidth)(document.querySelector('.demo-phones'))"
        )
        assert faults == []
        await browser.close()
