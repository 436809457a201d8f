"""The JSON door: what it answers is what its OpenAPI document promises, page by page, with the pages' own rights."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.routing import Route

from incidents.model import Place
from roster.model import RollCall
from tests.web.pictures import jpeg
from tests.web.world import World, open_world
from web.api import make_routes
from web.openapi import document
from web.screen import Screen

TOKEN = "t" * 40
ROOT = "/api/v1"


@pytest_asyncio.fixture
async def full(tmp_path: Path) -> AsyncIterator[World]:
    """An office with a token and something of everything."""
    async with open_world(tmp_path, api_tokens=(hashlib.sha256(TOKEN.encode()).hexdigest(),)) as world:
        for text in ("五金铺起火，2人受伤", "路面塌陷", "化工厂爆炸，4人死亡"):
            await world.step(await world.report(text, Place(22.6, 113.2, "路口"), photo=jpeg()))
        call = await world.call_roll()
        await world.answer(call, "o-chen")
        yield world


def bearer(world: World, token: str = TOKEN) -> httpx.AsyncClient:
    return world.client(headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})


def faults(value: Any, schema: dict[str, Any], whole: dict[str, Any], at: str = "$") -> list[str]:
    """Where a value is not what a schema says; knows the part of JSON Schema that our whole uses."""
    if "$ref" in schema:
        return faults(value, whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]], whole, at)
    if "anyOf" in schema:
        tried = [faults(value, one, whole, at) for one in schema["anyOf"]]
        return [] if [] in tried else tried[0]
    if "enum" in schema or "const" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{at}: {value!r}"]
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    names = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        type(None): "null",
        dict: "object",
        list: "array",
    }
    name = names[type(value)]
    if name not in wanted and not (name == "integer" and "number" in wanted):
        return [f"{at}: {name} is none of {wanted}"]
    if name == "string" and schema.get("format") == "date-time":
        return [] if value.endswith("Z") and datetime.fromisoformat(value) else [f"{at}: {value}"]
    if name == "array":
        return [one for item in value for one in faults(item, schema["items"], whole, f"{at}[]")]
    if name != "object":
        return []
    known, extra = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{at}: {key} is missing" for key in schema.get("required", []) if key not in value]
    for key, inner in value.items():
        if key in known:
            found += faults(inner, known[key], whole, f"{at}.{key}")
        elif isinstance(extra, dict):
            found += faults(inner, extra, whole, f"{at}.{key}")
        elif extra is None:
            found.append(f"{at}: {key} is not promised")
    return found


async def test_every_answer_is_what_the_document_promises(full: World) -> None:
    client = bearer(full)
    promised = (await full.client().get(f"{ROOT}/openapi.json")).json()
    number = (await client.get(f"{ROOT}/incidents")).json()["items"][0]["number"]
    call = (await client.get(f"{ROOT}/roll-calls")).json()["items"][0]["id"]
    assert len(promised["paths"]) == 9
    for path, methods in promised["paths"].items():
        answer = await client.get(ROOT + path.replace("{number}", number).replace("{id}", call))
        assert answer.status_code == 200, path
        [(content_type, content)] = methods["get"]["responses"]["200"]["content"].items()
        assert answer.headers["content-type"].startswith(content_type)
        assert faults(answer.json(), content["schema"], promised) == [], path


async def test_every_route_of_the_api_is_in_the_document_and_needs_a_token(full: World) -> None:
    screen = Screen(full.door, full.settings, full.media, has_demo=False)
    served = {route.path.removeprefix(ROOT) for route in make_routes(screen) if isinstance(route, Route)}
    assert served - {"/openapi.json"} == document("")["paths"].keys()
    for path in served - {"/openapi.json"}:
        answer = await full.client().get(ROOT + path.replace("{number}", "x").replace("{id}", "x"))
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthenticated"


@pytest.mark.parametrize("path", ["/incidents", "/officers", "/log", "/roll-calls", "/incidents.geojson"])
async def test_pages_follow_each_other_without_a_gap_or_a_double(full: World, path: str) -> None:
    async with full.door.open() as desk:
        desk.log("stranger_wrote", "desk")
    await full.close_roll((await _calls(full))[0])
    await full.call_roll(slot="manual-2")
    client = bearer(full)
    whole = (await client.get(f"{ROOT}{path}?limit=500")).json()
    name = "features" if "geojson" in path else "items"
    assert whole["next"] is None
    found: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = (await client.get(f"{ROOT}{path}", params={"limit": 1, "cursor": cursor})).json()
        assert len(page[name]) == 1
        found += page[name]
        cursor = page["next"]
    assert found == whole[name]
    assert len(found) >= 2


async def _calls(world: World) -> list[Any]:
    async with world.door.read() as store:
        return await store.find(RollCall)


async def test_a_signed_in_officer_gets_the_units_own(full: World) -> None:
    client = await full.signed_in("o-zhou")
    assert (await client.get(f"{ROOT}/incidents")).json()["items"] == []
    assert {one["unit_id"] for one in (await client.get(f"{ROOT}/officers")).json()["items"]} == {"u-sj"}
    status = (await client.get(f"{ROOT}/status")).json()
    assert {line["unit_id"] for line in status["on_watch"]} == {"u-sj"}
    assert sum(status["open_incidents"].values()) == 0


async def test_points_are_geojson_longitude_first(full: World) -> None:
    found = (await bearer(full).get(f"{ROOT}/incidents.geojson")).json()
    assert found["type"] == "FeatureCollection"
    assert {tuple(one["geometry"]["coordinates"]) for one in found["features"]} == {(113.2, 22.6)}


async def test_the_api_only_reads(full: World) -> None:
    client = bearer(full)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await client.request(method, f"{ROOT}/incidents")
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "method_not_allowed"


async def test_bodies_and_secrets_of_people_stay_inside(full: World) -> None:
    told = (await bearer(full).get(f"{ROOT}/officers")).text
    assert "address" not in told
    assert "a-o-chen" not in told
