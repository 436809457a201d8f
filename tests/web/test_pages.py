"""The desk's pages on a real store: what each one shows, and what a person can do from it."""

import asyncio
import re
import sqlite3
from functools import partial

import pytest

from desk import reports
from desk.follow_ups import follow_up
from desk.model import Inbound
from incidents.model import Attachment, Category, Incident, LogLine, Place, Severity, State
from roster.model import Officer, Result, RollCall, RollCallState
from tests.web.pictures import jpeg
from tests.web.world import CODE_PLAN, PLAN, World

PAGES = ("/", "/board", "/map", "/incidents", "/roll-calls", "/roster", "/log", "/officers", "/settings")


def words_of(html: str) -> str:
    """What a reader reads, without the markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


async def test_every_page_asks_to_sign_in_and_comes_back(world: World) -> None:
    client = world.client()
    for path in PAGES:
        answer = await client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/sign-in?next={path}"


@pytest.mark.parametrize("who", ["o-jian", "o-chen", "o-mei"])
async def test_every_page_answers_everybody_under_the_strict_policy(world: World, who: str) -> None:
    await world.step(await world.report("起火"))
    await world.call_roll()
    client = await world.signed_in(who)
    for path in PAGES:
        answer = await client.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", answer.text), (
            "nothing inline"
        )
        outside = re.findall(r'(?:src|href|action)="(?!/|#|tel:|\?)([^"]+)"', answer.text)
        assert outside == [], path


async def test_an_empty_office_is_shown_without_a_fault(world: World) -> None:
    async with world.door.open() as desk:
        for one in await desk.store.find(Officer, unit_id="u-sj"):
            await desk.store.change(one, active=False)
    client = await world.signed_in("o-jian")
    for path in PAGES:
        assert (await client.get(path)).status_code == 200


async def test_the_board_says_at_one_glance_who_is_on_watch_and_what_is_red(world: World) -> None:
    incident = await world.report("五金铺起火，2人受伤")
    await world.step(incident)
    told = words_of((await (await world.signed_in("o-jian")).get("/board")).text)
    assert "简俊贤" in told and "199-0000-1001" in told
    assert "三角镇" in told and "空岗" in told
    assert incident.number in told and "无人签收" in told
    assert re.search(r"1 待签收", told)
    assert re.search(r"1 现在空岗", told)


async def test_the_passcode_stands_on_the_duty_rooms_board_while_the_call_runs(world: World) -> None:
    call = await world.call_roll(CODE_PLAN)
    office = await world.signed_in("o-jian")
    assert call.passcode in (await office.get("/board")).text
    assert call.passcode in (await office.get(f"/roll-calls/{call.id}")).text
    await world.close_roll(call)
    assert call.passcode not in words_of((await office.get("/board")).text)
    assert f">{call.passcode}<" not in (await office.get(f"/roll-calls/{call.id}")).text
    tapped = await world.call_roll(PLAN, "manual-2")
    assert tapped.passcode == ""


async def test_an_incident_shows_its_story_photo_clocks_and_ladder(world: World) -> None:
    incident = await world.report(
        "02:40 五金铺起火，2人受伤", Place(22.67, 113.24, "绩东一社区"), photo=jpeg()
    )
    await world.step(incident)
    world.clock.pass_minutes(5)
    await world.step(incident)
    html = (await (await world.signed_in("o-jian")).get(f"/incidents/{incident.number}")).text
    told = words_of(html)
    assert "已通知 陈志强" in told
    assert "无人签收，升级通知 梁锦棠" in told
    assert "受伤 2" in told and "死亡 不详" in told
    assert "自事发" in told and "自接报" in told, "two clocks"
    assert "10 分钟" in told and "应急办" in told
    assert f'href="/map#{incident.number}"' in html
    photo = re.search(r'src="(/attachments/[0-9a-f]{64}/copy)"', html)
    assert photo
    copy = await (await world.signed_in("o-chen")).get(photo[1])
    assert copy.headers["content-type"] == "image/jpeg"
    assert copy.content.startswith(b"\xff\xd8\xff")


async def test_nobody_hurt_says_nothing_of_the_loss_in_money(world: World) -> None:
    told = words_of(
        (
            await (await world.signed_in("o-jian")).get(
                f"/incidents/{(await world.report('仓库起火，无人员伤亡')).number}"
            )
        ).text
    )
    assert "伤亡 无" in told and "死亡 0" not in told
    assert "损失" not in told
    worth = await world.report("仓库起火，无人员伤亡，损失50万元")
    told = words_of((await (await world.signed_in("o-jian")).get(f"/incidents/{worth.number}")).text)
    assert "损失（元） 500000" in told


async def test_signing_handing_on_and_closing_are_told_and_logged(world: World) -> None:
    incident = await world.report("起火")
    await world.step(incident)
    address = f"/incidents/{incident.number}"
    chen, liang = await world.signed_in("o-chen"), await world.signed_in("o-liang")
    answer = await world.press(chen, f"{address}/close", outcome="已扑灭")
    assert answer.headers["location"].endswith("said=sign_first")
    assert "请先签收，再办结" in (await chen.get(answer.headers["location"])).text
    assert (await world.press(chen, f"{address}/sign")).headers["location"].endswith("said=signed")
    assert (await world.press(liang, f"{address}/sign")).headers["location"].endswith("said=already_signed")
    assert (await world.press(chen, f"{address}/hand-on", to="nobody")).headers["location"].endswith("nobody")
    assert (
        (await world.press(chen, f"{address}/hand-on", to="o-liang"))
        .headers["location"]
        .endswith("handed_on")
    )
    assert "待签收" in words_of((await liang.get(address)).text)
    await world.press(liang, f"{address}/sign")
    assert (
        (await world.press(liang, f"{address}/close", outcome=" ")).headers["location"].endswith("no_outcome")
    )
    assert (
        (await world.press(liang, f"{address}/close", outcome="已扑灭"))
        .headers["location"]
        .endswith("closed")
    )
    assert (await world.press(chen, f"{address}/sign")).headers["location"].endswith("not_open")
    told = words_of((await chen.get(address)).text)
    assert "由 梁锦棠 办结：已扑灭" in told and "终报" in told
    async with world.door.read() as store:
        kinds = [
            line.kind
            for line in await store.find(LogLine, order=("sequence",), subject=f"incident:{incident.id}")
        ]
    assert kinds == ["incident_opened", "paged", "signed", "handed_on", "signed", "closed"]


async def test_a_person_sets_the_level_and_marks_what_went_up(world: World) -> None:
    incident = await world.report("起火")
    client = await world.signed_in("o-chen")
    assert (
        await world.press(client, f"/incidents/{incident.number}/level", severity="serious")
    ).status_code == 303
    assert (
        await world.press(client, f"/incidents/{incident.number}/level", severity="huge")
    ).status_code == 400
    assert (await world.press(client, f"/incidents/{incident.number}/told", clock="phone")).status_code == 303
    assert (await world.press(client, f"/incidents/{incident.number}/told", clock="id")).status_code == 400
    now = await world.read(incident)
    assert (now.severity, now.severity_set_by) == (Severity.serious, "o-chen")
    assert now.phone_done_at == world.clock.now()
    assert "陈志强 定" in words_of((await client.get(f"/incidents/{incident.number}")).text)


async def test_a_person_corrects_the_class_and_board_map_and_log_follow(world: World) -> None:
    incident = await world.report("路边有人倒在地上")
    assert incident.kind == ""
    client, reporter = await world.signed_in("o-chen"), await world.signed_in("o-mei")
    address = f"/incidents/{incident.number}/kind"
    for wrong in ("", "accident:不是一类", "unknown:", "nonsense:火灾", "natural:火灾"):
        assert (await world.press(client, address, kind=wrong)).status_code == 400
    assert (await world.press(reporter, address, kind="accident:火灾")).status_code == 403
    assert "kind_set" in (await world.press(client, address, kind="accident:城镇燃气")).headers["location"]
    assert (
        await world.press(client, address, kind="accident:城镇燃气")
    ).status_code == 303  # The same changes nothing.
    now = await world.read(incident)
    assert (now.category, now.kind) == (Category.accident, "城镇燃气")
    page = (await client.get(f"/incidents/{incident.number}")).text
    assert "陈志强 更正类别：类别待核实，改为 事故灾难 城镇燃气" in words_of(page)
    assert 'value="accident:城镇燃气" selected' in page
    assert "城镇燃气" in (await client.get("/board")).text
    assert "城镇燃气" in (await client.get("/fragments/map")).json()["incidents"][0]["card"]
    async with world.door.read() as store:
        assert await store.count(LogLine, kind="kind_set") == 1


async def test_later_words_do_not_change_a_class_that_a_person_set_and_a_weightier_one_raises_the_level(
    world: World,
) -> None:
    incident = await world.report("有4人不舒服，其中3人死亡")
    async with world.door.open() as desk:
        officer = await world.officer("o-chen")
        told = await reports.correct_kind(desk, incident.id, officer, Category.social, "其他社会安全事件")
        await follow_up(desk, told, officer, text="现场起火了")
    now = await world.read(incident)
    assert (now.category, now.kind) == (Category.social, "其他社会安全事件")
    # The tables of that class say more for three dead; what another says less takes nothing back by itself.
    assert (incident.severity, now.severity) == (Severity.major, Severity.serious)
    async with world.door.open() as desk:
        again = await reports.correct_kind(desk, incident.id, officer, Category.accident, "道路交通事故")
    assert (again.kind, again.severity) == ("道路交通事故", Severity.serious)


async def test_a_person_corrects_the_place_and_what_was_told_stays(world: World) -> None:
    incident = await world.report("起火")
    client = await world.signed_in("o-chen")
    address = f"/incidents/{incident.number}/place"
    assert (await world.press(client, address, place="绩东一社区泰丰路15号")).status_code == 303
    assert "no_place" in (await world.press(client, address, place=" ")).headers["location"]
    now = await world.read(incident)
    assert now.place is not None and now.place.text == "绩东一社区泰丰路15号"
    html = words_of((await client.get(f"/incidents/{incident.number}")).text)
    assert "更正" in html and "地点：绩东一社区泰丰路15号" in html


async def test_both_points_are_read_when_a_second_came_before_the_words(world: World) -> None:
    told = Inbound("webchat", "e-1", "a-o-mei", "place", place=Place(22.6801, 113.2501), message_id="m-1")
    async with world.door.open() as desk:
        await reports.take(desk, told, await world.officer("o-mei"))
    incident = await world.report("起火", Place(22.6741, 113.2402))
    client = await world.signed_in("o-chen")
    html = words_of((await client.get(f"/incidents/{incident.number}")).text)
    assert "李小梅 先发的位置 22.6801, 113.2501" in html and "位置： 22.67410, 113.24020" in html


async def test_nobody_hurt_claims_no_zeros_of_the_missing_and_the_trapped(world: World) -> None:
    client = await world.signed_in("o-chen")
    for text, said in (("起火，没有人受伤", "受伤 0"), ("起火，无人员伤亡", "伤亡 无")):
        incident = await world.report(text)
        html = " ".join(words_of((await client.get(f"/incidents/{incident.number}")).text).split())
        assert said in html and "失踪 0" not in html and "被困 0" not in html and "死亡 0" not in html


async def test_whoever_may_only_look_gets_no_buttons_and_is_refused(world: World) -> None:
    incident = await world.report("起火")
    reporter = await world.signed_in("o-mei")
    html = (await reporter.get(f"/incidents/{incident.number}")).text
    assert "/sign" not in html.replace("/sign-out", "") and "/close" not in html
    for act in ("sign", "hand-on", "close", "level", "place", "told"):
        fields = {"to": "o-chen", "outcome": "x", "severity": "serious", "clock": "phone", "place": "路口"}
        answer = await world.press(reporter, f"/incidents/{incident.number}/{act}", **fields)
        assert answer.status_code == 403, act
    assert (await world.read(incident)).version == incident.version


async def test_two_people_acting_at_once_leave_one_act_and_two_polite_answers(world: World) -> None:
    incident = await world.report("起火")
    clients = [await world.signed_in(who) for who in ("o-chen", "o-liang", "o-jian")]
    answers = await asyncio.gather(
        *(world.press(client, f"/incidents/{incident.number}/sign") for client in clients)
    )
    said = sorted(answer.headers["location"].rpartition("=")[2] for answer in answers)
    assert said == ["already_signed", "already_signed", "signed"]


async def test_input_64_while_a_roll_call_runs_a_second_one_is_asked_about_first(world: World) -> None:
    client = await world.signed_in("o-jian")
    press = partial(world.press, client, "/roll-calls/start", plan=PLAN.name)
    await press(nonce="nonce-first")
    answer = await press(nonce="nonce-second")
    page = await client.get(answer.headers["location"])
    assert "还要再点一次" in page.text and 'name="again"' in page.text
    async with world.door.read() as store:
        assert await store.count(RollCall, plan=PLAN.name) == 1
    [asked_about] = re.findall(r'name="again" value="([\w-]+)"', page.text)
    for nonce in (
        "nonce-third",
        "nonce-fourth",
    ):  # Two people confirm: the second is asked about the first's.
        answer = await press(nonce=nonce, again=asked_about)
    assert "again=" in answer.headers["location"]
    async with world.door.read() as store:
        assert await store.count(RollCall, plan=PLAN.name) == 2


async def test_a_roll_call_is_started_once_and_its_ledger_sums(world: World) -> None:
    client = await world.signed_in("o-jian")
    fields = {"plan": PLAN.name, "nonce": "abcdefgh-1"}
    first = await world.press(client, "/roll-calls/start", **fields)
    await world.press(client, "/roll-calls/start", **fields)
    address = first.headers["location"].partition("?")[0]
    async with world.door.read() as store:
        [call] = await store.find(RollCall)
    assert address == f"/roll-calls/{call.id}"
    await world.answer(call, "o-chen")
    await world.close_roll(call)
    told = words_of((await client.get(address)).text)
    assert "应到 3 = 到岗 1 + 未应答 2" in told
    assert "用时 00:00" in told


async def test_only_leaders_and_the_office_call_the_roll(world: World) -> None:
    for who, status in (("o-chen", 403), ("o-mei", 403), ("o-liang", 303)):
        client = await world.signed_in(who)
        answer = await world.press(client, "/roll-calls/start", plan=PLAN.name, nonce=f"nonce-{who}")
        assert answer.status_code == status, who
        assert ("立即点名" in (await client.get("/board")).text) is (status == 303)
    async with world.door.read() as store:
        [call] = await store.find(RollCall)
    assert set(await world.lines_of(call)) == {"o-liang", "o-chen"}, "a town's leader calls the own town only"
    unknown = await world.press(
        await world.signed_in("o-jian"), "/roll-calls/start", plan="x", nonce="12345678"
    )
    assert unknown.status_code == 400


async def test_input_64_how_many_a_roll_call_will_ask_is_read_before_it_is_pressed(world: World) -> None:
    for who, due in (("o-jian", 3), ("o-liang", 2)):
        client = await world.signed_in(who)
        for path in ("/board", "/roll-calls"):
            assert f"{PLAN.name}（应到 {due}）" in (await client.get(path)).text
    assert "应到" not in (await (await world.signed_in("o-chen")).get("/board")).text


async def test_a_person_concludes_with_a_reason_and_the_ledger_keeps_who(world: World) -> None:
    call = await world.call_roll()
    await world.close_roll(call)
    line = (await world.lines_of(call))["o-chen"]
    office, duty = await world.signed_in("o-jian"), await world.signed_in("o-chen")
    form = (await office.get(f"/roll-calls/{call.id}?answer={line.id}")).text
    assert "结论：" in form and "脱岗" in form
    assert "结论：" not in (await duty.get(f"/roll-calls/{call.id}?answer={line.id}")).text
    fields = {"answer": line.id, "result": "line_fault"}
    address = f"/roll-calls/{call.id}/conclude"
    assert (await world.press(office, address, **fields)).headers["location"].endswith("said=no_reason")
    assert (await world.press(duty, address, **fields, reason="线路坏")).status_code == 403
    assert (
        (await world.press(office, address, **fields, reason="线路坏"))
        .headers["location"]
        .endswith("concluded")
    )
    line = (await world.lines_of(call))["o-chen"]
    assert (line.result, line.concluded_by, line.note) == (Result.line_fault, "o-jian", "线路坏")
    told = words_of((await office.get(f"/roll-calls/{call.id}")).text)
    assert "应到 3 = 未应答 2 + 设备故障 1" in told and "简俊贤 认定" in told


async def test_a_missed_call_and_an_empty_one_say_what_they_are(world: World) -> None:
    now = world.clock.now()
    missed = RollCall("r-missed", "早间点名", "s", now, now, now, RollCallState.missed, counts={})
    empty = RollCall("r-empty", "早间点名", "t", now, now, now, RollCallState.closed, counts={})
    async with world.door.open() as desk:
        await desk.store.add(missed, empty)
    client = await world.signed_in("o-jian")
    assert "漏点" in (await client.get("/roll-calls/r-missed")).text
    assert "空岗是排班问题" in (await client.get("/roll-calls/r-empty")).text
    assert "漏点" in (await client.get("/roll-calls")).text


async def test_the_log_shows_a_broken_chain_in_red_and_a_whole_one_as_whole(world: World) -> None:
    await world.step(await world.report("起火"))
    client = await world.signed_in("o-jian")
    assert "本页首尾相接" in (await client.get("/log")).text
    with sqlite3.connect(world.folder / "muster.db") as raw:
        for trigger in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {trigger[0]}")
        raw.execute(
            "UPDATE duty_log SET hash = CASE substr(hash, 1, 1) WHEN 'f' THEN 'e' ELSE 'f' END || substr(hash, 2)"
            " WHERE sequence = 1"
        )
    raw.close()
    told = (await client.get("/log")).text
    assert "第 2 条断裂" in told
    assert "本页首尾相接" not in told


async def test_the_log_goes_back_page_by_page_to_its_first_line(world: World) -> None:
    async with world.door.open() as desk:
        for number in range(250):
            desk.log("stranger_wrote", "desk", n=number)
    client = await world.signed_in("o-jian")
    seen: list[int] = []
    address = "/log"
    while address:
        html = (await client.get(address)).text
        seen += [int(one) for one in re.findall(r'data-key="log-(\d+)"', html)]
        older = re.search(r'href="(/log\?before=\d+)" rel="next"', html)
        address = older[1] if older else ""
    assert seen == sorted(seen, reverse=True)
    assert (len(seen), seen[-1]) == (len(set(seen)), 1)


async def test_incidents_are_found_by_number_words_state_and_unit_and_paged(world: World) -> None:
    async with world.door.open() as desk:
        await desk.store.add(
            *(
                Incident(
                    f"i{number:03d}",
                    f"ZS-20261101-{number:03d}",
                    State.closed,
                    world.clock.now(),
                    "u-xl",
                    title="积水",
                )
                for number in range(120)
            )
        )
    fire = await world.report("五金铺起火")
    client = await world.signed_in("o-jian")
    for query in (f"q={fire.number}", "q=五金", "state=open", "state=received&severity=general&unit=u-xl"):
        html = (await client.get(f"/incidents?{query}")).text
        assert re.findall(r'data-key="incident-([^"]+)"', html) == [fire.number], query
    seen: list[str] = []
    address = "/incidents?unit=u-xl&state=closed"
    while address:
        html = (await client.get(address)).text
        seen += re.findall(r'data-key="incident-([^"]+)"', html)
        older = re.search(r'href="(/incidents\?[^"]+)" rel="next"', html)
        address = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == len(set(seen)) == 120


async def test_the_roster_shows_the_month_with_its_gaps_and_days_off(world: World) -> None:
    client = await world.signed_in("o-jian")
    html = (await client.get("/roster?unit=u-sj")).text
    told = words_of(html)
    assert "周丽嫦" in told and "空岗" in told
    assert 'aria-current="date"' in html
    october = words_of((await client.get("/roster?month=2026-10")).text)
    assert "国庆节" in october
    assert "还没有依据" in words_of((await client.get("/roster?month=2031-01")).text)
    assert (await (await world.signed_in("o-chen")).get("/roster?unit=u-sj")).status_code == 404


async def test_people_without_a_way_to_reach_them_stand_out(world: World) -> None:
    async with world.door.open() as desk:
        await desk.store.add(Officer("o-new", "新来的", "u-xl"))
    told = words_of((await (await world.signed_in("o-jian")).get("/officers?q=新来")).text)
    assert "新来的" in told and "没有绑定" in told
    assert "新来的" not in (await (await world.signed_in("o-zhou")).get("/officers")).text


async def test_the_rules_page_states_the_policy_and_the_age_of_the_data(world: World) -> None:
    told = words_of((await (await world.signed_in("o-jian")).get("/settings")).text)
    assert "夜间抽查" in told and "5 分钟内到岗，10 分钟内迟答" in told
    assert "一般事件" in told and "带班领导" in told
    assert "值班表排到" in told
    assert "值班表排到" not in (await (await world.signed_in("o-chen")).get("/settings")).text


async def test_an_original_is_a_logged_download_and_never_shown_inline(world: World) -> None:
    await world.report("起火", photo=b"<html><script>alert(1)</script>")
    client = await world.signed_in("o-jian")
    async with world.door.read() as store:
        [row] = await store.find(Attachment)
    answer = await client.get(f"/attachments/{row.digest}")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (await client.get(f"/attachments/{row.digest}/copy")).status_code == 404, "no picture, no copy"
    assert (await (await world.signed_in("o-mei")).get(f"/attachments/{row.digest}")).status_code == 404
    async with world.door.read() as store:
        [line] = await store.find(LogLine, kind="original_opened")
    assert line.actor == "o-jian"
