"""What nobody should send, and what it is answered with; the numbers are the rows of faults.md, section 6."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest

from desk.model import InboxRow
from incidents.model import Attachment, Incident, LogLine, Place, Severity, State
from roster.model import Answer, Officer, Result, Role, RollCall
from tests.web.pictures import jpeg
from tests.web.world import CODE_PLAN, World, open_world

SCRIPTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
)
EVERY_POST = (
    "/incidents/{number}/sign",
    "/incidents/{number}/hand-on",
    "/incidents/{number}/close",
    "/incidents/{number}/level",
    "/incidents/{number}/place",
    "/incidents/{number}/told",
    "/roll-calls/start",
    "/roll-calls/{call}/conclude",
    "/troubles/retry",
    "/sign-out",
)


async def page(client: httpx.AsyncClient, path: str) -> str:
    """A page that must answer."""
    answer = await client.get(path)
    assert answer.status_code == 200, (path, answer.text)
    return answer.text


async def every_act(world: World) -> tuple[Incident, httpx.AsyncClient, list[str]]:
    """An incident, a roll call, the office's browser, and the address of everything a form can do."""
    incident, call = await world.report("起火"), await world.call_roll()
    addresses = [path.format(number=incident.number, call=call.id) for path in EVERY_POST]
    return incident, await world.signed_in("o-jian"), addresses


def is_said_plainly(answer: httpx.Response) -> bool:
    """Whether a fault is one sentence (page) or a JSON reason (API), and tells nothing of our insides."""
    told = answer.text
    if "Traceback" in told or "sqlite" in told.lower() or ".py" in told:
        return False
    if answer.headers["content-type"].startswith("application/json"):
        return set(answer.json()["error"]) == {"code", "message", "id"}
    return "<p>" in told and answer.headers["x-request-id"] in told


@pytest.mark.parametrize("text", SCRIPTS)
async def test_input_14_markup_stays_words_on_every_page(world: World, text: str) -> None:
    async with world.door.open() as desk:
        mei = await desk.store.get(Officer, "o-mei")
        assert mei is not None
        await desk.store.change(mei, name=f"李{text}")
    incident = await world.report(f"起火 {text}", Place(22.67, 113.24, f"路口{text}"), photo=jpeg())
    await world.sign(incident)
    client = await world.signed_in("o-jian")
    await world.press(client, f"/incidents/{incident.number}/close", outcome=f"结果{text}")
    paths = ["/board", f"/incidents/{incident.number}", "/incidents", "/log", "/officers", "/fragments/map"]
    for path in [*paths, f"/fragments/incidents/{incident.number}", f"/incidents?q={quote(text)}"]:
        told = await page(client, path)
        if text.startswith("javascript"):
            assert f'href="{text}' not in told
        elif path == "/fragments/map":
            assert text not in (await client.get(path)).json()["panel"]
        else:
            assert text not in told
    headers = (await client.get("/board")).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize("text", ["{{7*7}}", "${7*7}", "%s%n", "{0.__class__}", "{% raw %}"])
async def test_input_15_templates_in_words_are_not_evaluated(world: World, text: str) -> None:
    incident = await world.report(f"起火{text}")
    await world.sign(incident)
    client = await world.signed_in("o-jian")
    await world.press(client, f"/incidents/{incident.number}/close", outcome=text)
    for path in (f"/incidents/{incident.number}", "/log", "/board"):
        told = await page(client, path)
        assert "49" not in told.replace(incident.number, "") or text in told
    assert text in (await client.get("/log")).text


@pytest.mark.parametrize(
    ("text", "finds"), [("'; DROP TABLE incidents;--", 0), ("%", 1), ("_", 0), ("100%", 1)]
)
async def test_input_16_search_is_literal(world: World, text: str, finds: int) -> None:
    await world.report("水位 100% 满")
    await world.report("路面塌陷")
    client = await world.signed_in("o-jian")
    answer = await client.get("/api/v1/incidents", params={"q": text})
    assert len(answer.json()["items"]) == finds
    assert (await client.get("/incidents", params={"q": text})).status_code == 200
    assert (await client.get("/officers", params={"q": text})).status_code == 200
    async with world.door.read() as store:
        assert await store.count(Incident) == 2


async def test_input_22_a_form_made_by_hand_moves_nothing_of_anothers(world: World) -> None:
    incident = await world.report("起火")
    other = await world.signed_in("o-zhou")  # 三角镇's officer.
    for number in (incident.number, "..", "ZS-1'", "x" * 300):
        answer = await world.press(other, f"/incidents/{quote(number, safe='')}/sign")
        assert answer.status_code == 404
        assert is_said_plainly(answer)
    call = await world.call_roll()
    await world.close_roll(call)
    line = (await world.lines_of(call))["o-liang"]
    fields = {"answer": line.id, "result": "present", "reason": "在"}
    office = await world.signed_in("o-jian")
    assert (await world.press(office, f"/roll-calls/{call.id}/conclude", **fields)).status_code == 400
    forged = {**fields, "result": "excused", "answer": "nobody"}
    assert (await world.press(office, f"/roll-calls/{call.id}/conclude", **forged)).status_code == 404
    later = await world.call_roll(slot="manual-2")
    others = {**fields, "result": "excused"}
    assert (await world.press(office, f"/roll-calls/{later.id}/conclude", **others)).status_code == 404
    assert (await world.read(incident)).state is State.received
    assert (await world.lines_of(call))["o-liang"].result is Result.no_answer


async def test_input_30_a_removed_officer_is_out_on_the_next_request(world: World) -> None:
    client = await world.signed_in("o-chen")
    assert (await client.get("/board")).status_code == 200
    async with world.door.open() as desk:
        chen = await desk.store.get(Officer, "o-chen")
        assert chen is not None
        await desk.store.change(chen, active=False)
    assert (await client.get("/board")).status_code == 303
    assert (await client.get("/fragments/board")).status_code == 401
    assert (await client.get("/api/v1/status")).status_code == 401
    assert (
        await world.press(client, "/roll-calls/start", plan="夜间抽查", nonce="12345678")
    ).status_code == 401


async def test_input_30_a_lowered_role_counts_at_once(world: World) -> None:
    client = await world.signed_in("o-pan")
    incident = await world.report("起火", by="o-mei")
    assert (await client.get(f"/incidents/{incident.number}")).status_code == 200
    async with world.door.open() as desk:
        pan = await desk.store.get(Officer, "o-pan")
        assert pan is not None
        await desk.store.change(pan, role=Role.officer, unit_id="u-sj")
    assert (await client.get(f"/incidents/{incident.number}")).status_code == 404
    assert (await world.press(client, f"/incidents/{incident.number}/sign")).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
    ids=["origin", "cross-site", "same-site", "null-origin"],
)
async def test_input_51_another_sites_form_is_refused(world: World, headers: dict[str, str]) -> None:
    incident, client, addresses = await every_act(world)
    for address in addresses:
        fields = {"csrf": world.csrf(client), "outcome": "x"}
        answer = await client.post(address, data=fields, headers=headers)
        assert answer.status_code == 403, address
        assert is_said_plainly(answer)
    assert (await world.read(incident)).version == incident.version


async def test_input_51_a_form_without_our_own_token_is_refused(world: World) -> None:
    incident, client, addresses = await every_act(world)
    other = await world.signed_in("o-pan")
    for address in addresses:
        for token in ("", "x" * 64, "别人的", world.csrf(other)):
            answer = await client.post(address, data={"csrf": token} if token else {})
            assert answer.status_code == 403, (address, token)
            assert is_said_plainly(answer)
    assert (await world.read(incident)).version == incident.version


async def test_input_52_looking_at_an_acts_address_changes_nothing(world: World) -> None:
    incident, client, addresses = await every_act(world)
    for address in addresses:
        answer = await client.get(address)
        assert answer.status_code in (404, 405), address
        assert is_said_plainly(answer)
        assert (await client.head(address)).status_code in (404, 405)
    assert (await world.read(incident)).version == incident.version


async def test_input_53_another_units_incident_looks_like_no_incident(world: World) -> None:
    incident = await world.report("起火", photo=jpeg())
    client = await world.signed_in("o-zhou")
    async with world.door.read() as store:
        digest = (await store.find(Attachment))[0].digest
    for path in (
        f"/incidents/{incident.number}",
        f"/fragments/incidents/{incident.number}",
        f"/api/v1/incidents/{incident.number}",
        f"/attachments/{digest}",
        f"/attachments/{digest}/copy",
    ):
        mine, nobodys = await client.get(path), await client.get("/incidents/ZS-20200101-001")
        assert mine.status_code == nobodys.status_code == 404, path
    for path in ("/board", "/incidents", "/log", "/fragments/map", "/api/v1/incidents", "/api/v1/log"):
        assert incident.number not in (await client.get(path)).text, path
    assert (await client.get("/api/v1/incidents.geojson")).json()["features"] == []


async def test_input_53_the_live_stream_keeps_other_units_lines_back(world: World) -> None:
    client = await world.signed_in("o-zhou")
    async with client.stream("GET", "/live?after=0") as stream:
        assert stream.status_code == 200
        await world.report("起火")
        await world.report("塌方", by="o-wu")
        heard = ""
        async for piece in stream.aiter_text():
            heard += piece
            if '"incident_opened"' in heard:
                break
    assert heard.count('"incident_opened"') == 1


async def test_input_54_fields_we_did_not_ask_for_are_ignored(world: World) -> None:
    incident = await world.report("起火")
    client = await world.signed_in("o-chen")
    extra = {"role": "admin", "severity": "serious", "signed_by": "o-jian", "state": "closed", "outcome": "x"}
    answer = await world.press(client, f"/incidents/{incident.number}/sign", **extra)
    assert answer.status_code == 303
    now = await world.read(incident)
    assert (now.signed_by, now.state, now.severity) == ("o-chen", State.verifying, Severity.general)
    assert (await world.officer("o-chen")).role is Role.duty


async def test_input_55_a_session_is_dead_after_signing_out(world: World) -> None:
    client = await world.signed_in("o-chen")
    stolen = dict(client.cookies)
    answer = await world.press(client, "/sign-out")
    assert answer.status_code == 303
    thief = world.client(cookies=stolen)
    assert (await thief.get("/fragments/board")).status_code == 401
    assert (await thief.get("/api/v1/incidents")).status_code == 401


async def test_input_55_a_session_ends_when_idle_and_at_its_longest(world: World) -> None:
    client = await world.signed_in("o-chen")
    world.clock.pass_minutes(11.9 * 60)
    assert (await client.get("/fragments/board")).status_code == 200
    world.clock.pass_minutes(12.1 * 60)
    assert (await client.get("/fragments/board")).status_code == 401
    busy = await world.signed_in("o-chen")
    for _ in range(7):
        world.clock.pass_minutes(11 * 60)
        status = (await busy.get("/fragments/board")).status_code
    assert status == 401, "after three days even a busy one signs in again"


@pytest.mark.parametrize("cookie", ["x", "x" * 5000, "../../etc/passwd", "' OR 1=1", "%00"])
async def test_http_a_cookie_of_another_deployment_signs_nobody_in(world: World, cookie: str) -> None:
    client = world.client(headers={"Cookie": f"muster_desk={cookie}", "Accept": "text/html"})
    assert (await client.get("/fragments/board")).status_code == 401
    assert (await client.get("/board")).status_code == 303


@pytest.mark.parametrize(
    "forged",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "8.8.8.8"},
        {"Forwarded": "for=127.0.0.1;host=localhost"},
    ],
    ids=["loopback", "outside", "forwarded"],
)
async def test_input_57_a_forged_forwarding_opens_nothing(
    open_town: World, world: World, forged: dict[str, str]
) -> None:
    assert (await world.client().get("/fragments/board", headers=forged)).status_code == 401
    # Behind a proxy the demonstration is no longer on this machine alone.
    assert (await open_town.client().get("/fragments/board", headers=forged)).status_code == 401
    assert (await open_town.client().get("/fragments/board")).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:bad", "user@127.0.0.1", "", "localhost/x", "[::"],
)
async def test_input_57_a_forged_host_is_refused(world: World, host: str) -> None:
    answer = await world.client().get("/sign-in", headers={"Host": host})
    assert answer.status_code == 400
    assert "evil" not in answer.text


async def test_input_57_a_trusted_hop_tells_whose_requests_are_slowed_down(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with open_world(tmp_path_factory.mktemp("hop"), trusted_proxies=("127.0.0.1",)) as world:
        client = world.client()

        async def knock(forwarded: str) -> int:
            fields = {"csrf": world.csrf(client), "who": "x", "next": "/"}
            return (
                await client.post("/sign-in", data=fields, headers={"X-Forwarded-For": forwarded})
            ).status_code

        assert [await knock("203.0.113.7") for _ in range(21)] == [200] * 20 + [429]
        assert await knock("203.0.113.8") == 200
        assert await knock("203.0.113.9, 203.0.113.7") == 429, "only the hop's own word counts"


async def test_input_57_links_never_follow_a_forged_host(world: World) -> None:
    answer = await world.client().get("/board", headers={"X-Forwarded-Host": "evil.example"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")


@pytest.mark.parametrize(
    "there",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "\\\\evil",
        "/\tevil",
        "evil",
    ],
)
async def test_input_58_signing_in_leads_to_our_own_pages_only(world: World, there: str) -> None:
    told = await page(world.client(), f"/sign-in?next={quote(there, safe='')}")
    assert 'name="next" value="/"' in told


@pytest.mark.parametrize(
    "path", ["/nope", "/incidents/ZS-19990101-001", "/roll-calls/none", "/api/v1/nope", "/static/../app.py"]
)
async def test_http_an_unknown_route_is_said_plainly(world: World, path: str) -> None:
    client = await world.signed_in("o-jian")
    answer = await client.get(path)
    assert answer.status_code == 404
    assert is_said_plainly(answer)


OUTWARD = ("..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fmuster.db", "../muster.db", "%00" * 20)


async def test_http_no_path_leads_out_of_the_attachments(world: World) -> None:
    client = await world.signed_in("o-jian")
    for digest in (*OUTWARD, "0" * 63, "0" * 64, "G" * 64, "A" * 5000):
        for path in (f"/attachments/{digest}", f"/attachments/{digest}/copy", f"/static/{digest}"):
            answer = await client.get(path)
            assert answer.status_code == 404, path
            assert "root:" not in answer.text


async def test_http_a_10_mb_body_is_refused_early(world: World) -> None:
    client = await world.signed_in("o-jian")
    big = b"csrf=" + b"x" * (10 * 1024 * 1024)
    for headers in ({"Content-Type": "application/x-www-form-urlencoded"}, {}):
        answer = await client.post("/roll-calls/start", content=big, headers=headers)
        assert answer.status_code == 413
        assert is_said_plainly(answer)


async def test_http_what_is_too_large_is_said_in_words_to_people_and_with_a_reason_to_programs(
    world: World,
) -> None:
    client, huge = await world.signed_in("o-jian"), {"Content-Length": str(40 * 1024 * 1024)}
    page = await client.post("/roll-calls/start", content=b"x" * 100_000)
    assert page.status_code == 413 and "内容太大，没有收下。" in page.text
    phone = await client.post(
        "/chat/t/files", headers={**huge, "Accept": "*/*"}, content=bytes(40 * 1024 * 1024)
    )
    assert phone.status_code == 413
    told = phone.json()
    assert told["code"] == told["error"]["code"] == "too_large" and "内容太大，没有收下。" in told["reason"]
    program = await client.post("/api/v1/incidents", headers=huge, content=bytes(40 * 1024 * 1024))
    assert program.status_code == 413 and program.json().keys() == {"error"}


async def test_http_a_body_of_unknown_length_is_cut_off(world: World) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2000):
            yield b"a" * 1024

    client = await world.signed_in("o-jian")
    answer = await client.post(
        "/roll-calls/start", content=endless(), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/xml", "multipart/form-data", "nonsense", "text/plain"]
)
async def test_http_a_wrong_content_type_is_a_form_without_a_token(world: World, content_type: str) -> None:
    client = await world.signed_in("o-jian")
    for body in (b'{"csrf": ', b"{}", b"<x/>", b""):
        answer = await client.post("/roll-calls/start", content=body, headers={"Content-Type": content_type})
        assert answer.status_code in (400, 403), answer.text
        assert is_said_plainly(answer)


async def test_http_a_file_in_a_form_is_refused(world: World) -> None:
    client = await world.signed_in("o-jian")
    fields = {"csrf": world.csrf(client), "plan": "夜间抽查"}
    answer = await client.post("/roll-calls/start", data=fields, files={"nonce": ("x", b"12345678")})
    assert answer.status_code == 400
    assert is_said_plainly(answer)
    many = {f"field{number}": "x" for number in range(100)}
    assert (await client.post("/roll-calls/start", data={**fields, **many})).status_code == 400


async def test_http_a_slow_body_is_given_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with open_world(tmp_path_factory.mktemp("slow"), body_seconds_max=0.3) as world:
        client = await world.signed_in("o-jian")
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        head = (
            "POST /roll-calls/start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nCookie: {cookie}\r\n\r\ncsrf="
        )
        writer.write(head.encode())
        await writer.drain()
        async with asyncio.timeout(10):
            status = await reader.readline()
        assert b" 408 " in status
        writer.close()
        assert (await client.get("/board")).status_code == 200


async def test_input_61_a_body_that_only_drips_is_given_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with open_world(tmp_path_factory.mktemp("drip"), body_seconds_max=0.5) as world:
        client = await world.signed_in("o-jian")
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        head = (
            "POST /roll-calls/start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nCookie: {cookie}\r\n\r\n"
        )
        writer.write(head.encode())
        answering = asyncio.create_task(reader.readline())
        for _ in range(1000):
            writer.write(b"x")
            if (await asyncio.wait([answering], timeout=0.02))[0]:
                break
        assert b" 408 " in await answering
        writer.close()


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/incidents?limit=0",
        "/api/v1/incidents?limit=-1",
        "/api/v1/incidents?limit=x",
        "/api/v1/incidents?limit=１",
        "/api/v1/incidents?state=burning",
        "/api/v1/incidents?severity=5",
        "/incidents?state=burning",
    ],
)
async def test_http_a_nonsense_filter_is_a_400(world: World, path: str) -> None:
    client = await world.signed_in("o-jian")
    answer = await client.get(path)
    assert answer.status_code == 400
    assert is_said_plainly(answer)


async def test_http_no_query_breaks_a_page(world: World) -> None:
    client = await world.signed_in("o-jian")
    long = ("cursor=" + "9" * 500, "q=" + "火" * 3000)
    for query in (*long, "cursor=zzz", "cursor=%00", "unit=%27", "before=abc", "cursor=１２"):
        for path in ("/incidents", "/roll-calls", "/officers", "/log"):
            for address in (path, f"/api/v1{path}"):
                answer = await client.get(f"{address}?{query}")
                assert answer.status_code in (200, 400), (address, query)


@pytest.mark.parametrize("month", ["2026-13", "0000-00", "2099-12", "x", "2026-02-30", "２０２６-01"])
async def test_http_no_month_breaks_the_roster(world: World, month: str) -> None:
    client = await world.signed_in("o-jian")
    assert (await client.get("/roster", params={"month": month})).status_code == 200
    assert (await client.get("/roster", params={"unit": month})).status_code == 404


@pytest.mark.parametrize(
    "token", ["Bearer wrong", "Basic YTpi", "Bearer", "bearer ;", "bearer " + "x" * 9000]
)
async def test_http_a_wrong_bearer_token_is_a_401(world: World, open_town: World, token: str) -> None:
    for desk in (world, open_town):
        answer = await desk.client().get("/api/v1/incidents", headers={"Authorization": token})
        assert answer.status_code in (401, 400)
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
            assert is_said_plainly(answer)


async def test_http_a_second_press_of_roll_call_calls_once(world: World) -> None:
    client = await world.signed_in("o-jian")
    presses = [
        world.press(client, "/roll-calls/start", plan="夜间抽查", nonce="12345678-desk") for _ in range(5)
    ]
    answers = await asyncio.gather(*presses)
    assert {answer.status_code for answer in answers} == {303}
    async with world.door.read() as store:
        assert await store.count(RollCall) == 1
        assert await store.count(Answer) == 3


async def test_http_no_secret_is_shown_to_a_unit_that_needs_none(world: World) -> None:
    call = await world.call_roll(CODE_PLAN)
    other, own = await world.signed_in("o-zhou"), await world.signed_in("o-chen")
    assert call.passcode not in (await other.get("/board")).text
    assert call.passcode in (await own.get("/board")).text
    api = await (await world.signed_in("o-jian")).get(f"/api/v1/roll-calls/{call.id}")
    assert call.passcode not in api.text


async def test_http_faults_keep_the_store_as_it_was(world: World) -> None:
    incident = await world.report("起火")
    client = await world.signed_in("o-jian")
    async with world.door.read() as store:
        before = await store.count(LogLine), await store.count(InboxRow)
    for outcome, state in (("", "closed"), ("x", "burning"), ("   ", "closed")):
        await world.press(client, f"/incidents/{incident.number}/close", outcome=outcome, state=state)
    async with world.door.read() as store:
        assert (await store.count(LogLine), await store.count(InboxRow)) == before
