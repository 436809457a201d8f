"""The browser libraries kept in the repository: known by hash, licensed, and calling nobody outside."""

import hashlib
import mimetypes
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route, async_playwright, expect

STATIC = Path(__file__).parents[2] / "web/static"
VENDOR = STATIC / "vendor"
LIBRARIES: list[dict[str, Any]] = tomllib.loads((STATIC / "vendor.toml").read_text("utf-8"))["library"]
LISTED: dict[str, str] = {path: digest for library in LIBRARIES for path, digest in library["sha256"].items()}
TEXT = sorted(path for path in LISTED if path.endswith((".js", ".css")))
LICENCE_WORDS = {"MIT": "MIT License", "BSD-2-Clause": "BSD 2-Clause License"}

# Names and credits a library may spell; none of them is fetched.
SPELLED = (
    "http://www.w3.org/",
    "https://leafletjs.com",
    "https://picocss.com",
    "https://bugs.chromium.org/",
    "https://bugzilla.mozilla.org/",
)

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'"
)


@pytest.mark.parametrize("path", sorted(LISTED))
def test_a_vendored_file_is_the_one_that_was_reviewed(path: str) -> None:
    assert hashlib.sha256((VENDOR / path).read_bytes()).hexdigest() == LISTED[path]


def test_no_file_hides_beside_the_list() -> None:
    assert {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()} == set(
        LISTED
    )


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library["name"])
def test_a_library_brings_its_version_and_licence(library: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", library["version"])
    assert library["licence_file"] in library["sha256"]
    assert LICENCE_WORDS[library["licence"]] in (VENDOR / library["licence_file"]).read_text("utf-8")


@pytest.mark.parametrize("path", TEXT)
def test_a_vendored_file_names_no_outside_host_and_no_lost_map(path: str) -> None:
    text = (VENDOR / path).read_text("utf-8")
    assert "sourceMappingURL" not in text
    found = re.findall(r"""(?:https?|wss?)://[^\s"')]+|(?<=["'(])//[a-z0-9.-]+\.[a-z]{2,}""", text)
    assert [url for url in found if not url.startswith(SPELLED)] == []


@pytest.mark.parametrize("path", [path for path in TEXT if path.endswith(".css")])
def test_a_stylesheet_loads_only_what_lies_beside_it(path: str) -> None:
    text = (VENDOR / path).read_text("utf-8")
    assert "@import" not in text
    for quoted in re.findall(r"url\(\s*(\"[^\"]*\"|'[^']*'|[^)]*)\s*\)", text):
        target = quoted.strip("\"'")
        # `#default#VML` is what Leaflet says to Internet Explorer.
        assert target.startswith(("data:", "#")) or (VENDOR / path).parent.joinpath(target).is_file(), target


PAGE = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<link rel="stylesheet" href="/static/vendor/pico/pico.min.css">
<link rel="stylesheet" href="/static/vendor/leaflet/leaflet.css">
<link rel="stylesheet" href="/static/css/desk.css">
<script src="/static/vendor/leaflet/leaflet.js" defer></script>
<script src="/page.js" defer></script></head>
<body><main><div id="map" class="map map-small"></div>
</main></body></html>"""

SCRIPT = """
window.broken = [];
document.addEventListener("securitypolicyviolation",
  (e) => window.broken.push(`${e.violatedDirective} ${e.blockedURI}`));
const map = L.map("map", { attributionControl: false });
fetch("/static/geo/zhongshan.geojson").then((r) => r.json()).then((areas) => {
  const layer = L.geoJSON(areas, { filter: (area) => area.properties.kind === "township" }).addTo(map);
  map.fitBounds(layer.getBounds());
  L.marker([22.517, 113.385]).addTo(map);
});
"""


async def test_the_libraries_work_under_our_policy_and_ask_nobody_else() -> None:
    asked: list[str] = []

    async def answer(route: Route) -> None:
        url = route.request.url
        asked.append(url)
        path = url.removeprefix("http://desk.test")
        made = {"/": PAGE, "/page.js": SCRIPT}
        kinds = {"/": "text/html", "/page.js": "text/javascript"}
        if path in made:
            headers = {"Content-Type": f"{kinds[path]}; charset=utf-8", "Content-Security-Policy": CSP}
            await route.fulfill(body=made[path], headers=headers)
            return
        file = STATIC / path.removeprefix("/static/")
        if path.startswith("/static/") and file.is_file():
            await route.fulfill(
                body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0] or "text/plain"
            )
        else:
            await route.fulfill(status=404)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.route("**/*", answer)
        await page.goto("http://desk.test/")
        await expect(page.locator("#map path")).to_have_count(23)
        await expect(page.locator(".leaflet-marker-icon")).to_have_js_property("naturalWidth", 25)
        broken = await page.evaluate("window.broken")
        await browser.close()
    assert (broken, errors) == ([], [])
    assert [url for url in asked if not url.startswith("http://desk.test/")] == []
