"""`invite` gives a person what their phone needs, beside a running desk as well."""

import asyncio
import json
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx

from desk.enrolment import digest
from roster.model import Account, Invite, Officer
from tests.bot.commands.cli import NOW, Cli, fill
from tests.fakes.telegram_server import FakeTelegram

PUBLIC = "[web]\npublic_url = 'https://duty.city.invalid'\n"


async def test_a_named_person_gets_a_code_that_is_kept_only_as_its_digest(cli: Cli) -> None:
    await fill(cli)
    done = cli("invite", "王信息", "--json")
    assert done.code == 0
    [one] = done.json
    assert (one["name"], one["unit"], one["officer_id"]) == ("王信息", "小榄镇", "o3")
    assert len(one["code"]) == 22
    async with cli.office() as office, office.door.read() as store:
        kept = await store.get(Invite, digest(one["code"]))
    assert kept is not None and kept.officer_id == "o3" and kept.used_at is None
    assert datetime.fromisoformat(one["expires_at"]) - NOW > timedelta(hours=23)
    data = (cli.folder / "data" / "muster.db").read_bytes()
    assert one["code"].encode() not in data


async def test_a_web_link_opens_the_phone_page_of_the_running_desk(cli: Cli) -> None:
    await fill(cli)
    with cli.running():
        done = await asyncio.to_thread(cli.process, "invite", "王信息", "--json")
        [one] = done.json
        assert one["webchat"].startswith(f"http://127.0.0.1:{cli.port}/chat/")
        assert "public_url" in done.err
        async with httpx.AsyncClient() as phone:
            page = await phone.get(one["webchat"])
        assert page.status_code == 200
        assert one["qr"]["webchat"].startswith("data:image/svg+xml")


async def test_telegram_gives_a_deep_link_when_the_bots_name_is_known(cli: Cli, fake: FakeTelegram) -> None:
    await fill(cli)
    cli.write(
        PUBLIC.replace("[web]\n", "") + f"[telegram]\ntoken = '{fake.token}'\nbase_url = '{fake.base_url}'\n"
    )
    done = await asyncio.to_thread(cli, "invite", "王信息", "--json")
    [one] = done.json
    link = urlsplit(one["telegram"])
    assert link.netloc == "t.me" and link.path != "/" and parse_qs(link.query) == {"start": [one["code"]]}
    assert one["webchat"].startswith("https://duty.city.invalid/chat/")
    assert done.err == ""


async def test_a_silent_telegram_costs_only_the_link(cli: Cli) -> None:
    await fill(cli)
    cli.write(
        "[telegram]\ntoken = '7000000002:AAF-loopback_only-000000000000000'\n"
        f"base_url = 'http://127.0.0.1:{cli.port}/bot'\n"
    )
    done = cli("invite", "王信息", "--json")
    assert done.code == 0 and done.json[0]["telegram"] == "" and done.json[0]["code"]
    assert "bot_name" in done.err and "AAF-loopback" not in done.err
    cli.write(
        "[telegram]\ntoken = '7000000002:AAF-loopback_only-000000000000000'\n"
        f"base_url = 'http://127.0.0.1:{cli.port}/bot'\nbot_name = '@MusterBot'\n"
    )
    assert cli("invite", "王信息", "--json").json[0]["telegram"].startswith("https://t.me/MusterBot?start=")


async def test_a_terminal_shows_code_link_and_qr(cli: Cli) -> None:
    await fill(cli)
    done = cli("invite", "王信息")
    assert done.code == 0
    # Without Telegram and WeCom there is no chat to send a code in: the link is all.
    assert "绑定 " not in done.out and "打开就能用" in done.out
    assert "/chat/" in done.out and "█" in done.out
    cli.write("[telegram]\ntoken = '7000000002:AAF-loopback_only-000000000000000'\nbot_name = 'MusterBot'\n")
    assert "在 Telegram 里发送：绑定 " in cli("invite", "王信息").out
    cli.write("[webchat]\nenabled = false\n")
    assert "没有配置任何渠道" in cli("invite", "王信息").out


async def test_without_names_everybody_out_of_reach_is_invited(cli: Cli) -> None:
    await fill(cli, accounts=False)
    async with cli.office() as office, office.door.open() as desk:
        await desk.store.add(Account("a1", "o1", "telegram", "77", NOW))
    names = [one["name"] for one in cli("invite", "--json").json]
    assert sorted(names) == ["李带班", "王信息"]
    assert json.loads(cli("invite", "--json").out) == []
    assert "姓名" in cli("invite").out


async def test_unknown_and_double_names_are_all_told_and_nobody_is_invited(cli: Cli) -> None:
    await fill(cli)
    async with cli.office() as office, office.door.open() as desk:
        await desk.store.add(Officer("o4", "王信息", "u1"), Officer("o5", "赵离任", "u1", active=False))
    done = cli("invite", "王信息", "王信", "赵离任", "陈值班")
    assert done.code == 1 and done.out == ""
    double, unknown, former = done.err.splitlines()
    assert "王信息@小榄镇" in double and "是不是 王信息？" in unknown and "赵离任" in former
    async with cli.office() as office, office.door.read() as store:
        assert await store.count(Invite) == 0
    assert cli("invite", "o4", "--json").json[0]["officer_id"] == "o4"
