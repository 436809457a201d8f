"""A real desk that is told to stop in the middle of its work, or runs out of memory, keeps what it promised."""

import asyncio
import json
import resource
import signal
import subprocess
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk.model import InboxRow, InboxState, Letter, LetterState
from roster.model import Account, Answer, Officer, Result, Shift, Unit
from tests.bot.commands.cli import NOW, Cli
from tests.fakes.telegram_people import Phone
from tests.fakes.telegram_server import FakeTelegram, Send

PEOPLE = 90
STOP_SECONDS_MAX = 15
QUESTION = "前请应答"
SECRET = "a-long_Secret-7"
CONFIG = """
public_url = "http://127.0.0.1:{port}"
[telegram]
token = "{token}"
base_url = "{base_url}"
{mode}
[[roll_call]]
name = "全员点名"
cron = "0 8 1 1 *"
posts = ["duty_officer"]
answer_window_minutes = 60
remind_after_minutes = []
"""


async def staff(cli: Cli, fake: FakeTelegram, count: int) -> list[Phone]:
    """So many officers on watch, each with a Telegram phone."""
    span = (NOW - timedelta(days=2), NOW + timedelta(days=40))
    numbers = range(7001, 7001 + count)
    async with cli.office() as office, office.door.open() as desk:
        await desk.store.add(Unit("u1", "小榄镇"))
        for number in numbers:
            officer = f"o{number}"
            await desk.store.add(Officer(officer, f"值班员{number}", "u1"))
            await desk.store.add(Account(f"a{number}", officer, "telegram", str(number), desk.now))
            await desk.store.add(Shift(f"s{number}", "u1", "duty_officer", officer, *span))
    return [fake.phone(number, started=True) for number in numbers]


async def stopped(desk: "subprocess.Popen[str]") -> int:
    """How the desk ended after SIGTERM."""
    desk.send_signal(signal.SIGTERM)
    return await asyncio.to_thread(desk.wait, STOP_SECONDS_MAX)


async def test_fault_6_told_to_stop_in_the_middle_of_a_roll_call_it_leaves_nothing_unknown(
    tmp_path: Path,
) -> None:
    cli = Cli(tmp_path)
    async with FakeTelegram() as fake:
        cli.write(CONFIG.format(port=cli.port, token=fake.token, base_url=fake.base_url, mode=""))
        phones = await staff(cli, fake, PEOPLE)
        fake.latency_seconds = 0.1  # So that something is always on its way.

        def answer(send: Send) -> None:
            if send.chat_id % 2 and QUESTION in send.text:
                fake.phone(send.chat_id).say("到")

        fake.on_send = answer
        with cli.running() as desk:
            done = await asyncio.to_thread(cli.process, "roll-call", "start", "全员点名")
            assert done.code == 0, done.err
            await fake.wait_for(lambda: len(fake.sends) > PEOPLE // 3, 30)
            assert await stopped(desk) == 0
        assert len(fake.sends) < PEOPLE, "it was stopped in the middle"
        async with cli.office() as office, office.door.read() as store:
            letters = await store.find(Letter)
        assert {letter.state for letter in letters} == {LetterState.sent, LetterState.queued}
        with cli.running() as desk:
            await fake.wait_for(lambda: len({send.chat_id for send in fake.sends}) == PEOPLE, 60)
            await fake.wait_for(lambda: not fake.unconfirmed, 30)
            while any(await counts(cli)):
                await asyncio.sleep(0.2)
            assert await stopped(desk) == 0
        asked = Counter(send.chat_id for send in fake.sends if QUESTION in send.text)
        texts = [message.text for phone in phones for message in phone.received]
    assert not [text for text in texts if "可能重复" in text]
    assert max(asked.values()) == 1, asked.most_common(3)
    async with cli.office() as office, office.door.read() as store:
        answers = await store.find(Answer)
    assert Counter(answer.result for answer in answers) == {
        Result.present: PEOPLE // 2,
        Result.waiting: PEOPLE // 2,
    }


async def counts(cli: Cli) -> tuple[int, int]:
    """Messages not heard and letters not sent yet."""
    async with cli.office() as office, office.door.read() as store:
        unheard = await store.count(InboxRow, state=InboxState.new)
        return unheard, await store.count(Letter, state_in=[LetterState.queued, LetterState.sending])


def update(number: int) -> dict[str, Any]:
    """A message in a body so large that memory must be found for it."""
    person = {"id": 7001, "is_bot": False, "first_name": "李"}
    message = {"message_id": number, "date": 1_795_000_000, "text": f"第{number}句", "from": person}
    return {
        "update_id": number,
        "message": {**message, "chat": {"id": 7001, "type": "private"}, "padding": "x" * 200_000},
    }


@pytest.mark.timeout(180)
async def test_fault_34_short_of_memory_it_keeps_all_it_confirmed_and_goes_on_when_there_is_some(
    tmp_path: Path,
) -> None:
    cli = Cli(tmp_path)
    confirmed: set[int] = set()
    refused: list[str] = []

    async def bring(client: httpx.AsyncClient, number: int) -> None:
        try:
            answer = await client.post(
                f"http://127.0.0.1:{cli.port}/channels/telegram/webhook",
                json=update(number),
                headers={"X-Telegram-Bot-Api-Secret-Token": SECRET},
            )
        except httpx.HTTPError as error:
            refused.append(type(error).__name__)
            return
        if answer.status_code == 200:
            confirmed.add(number)
        else:
            refused.append(str(answer.status_code))

    async def bring_all(numbers: range) -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            for start in range(numbers.start, numbers.stop, 20):
                batch = range(start, min(start + 20, numbers.stop))
                await asyncio.gather(*(bring(client, number) for number in batch))

    async with FakeTelegram() as fake:
        mode = f'mode = "webhook"\nwebhook_secret = "{SECRET}"'
        cli.write(CONFIG.format(port=cli.port, token=fake.token, base_url=fake.base_url, mode=mode))
        await staff(cli, fake, 1)
        with cli.running() as desk:
            await bring_all(range(1, 101))
            assert len(confirmed) == 100
            resource.prlimit(desk.pid, resource.RLIMIT_AS, (memory_of(desk.pid), resource.RLIM_INFINITY))
            await bring_all(range(101, 401))
            assert refused, "there was memory enough"
            is_alive = desk.poll() is None
            if is_alive:
                no_limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                resource.prlimit(desk.pid, resource.RLIMIT_AS, no_limit)
                refused.clear()
                await bring_all(range(401, 501))
                assert refused == []
        print(f"{len(confirmed)} confirmed; alive: {is_alive}")
        with cli.running():
            while (await counts(cli))[0]:
                await asyncio.sleep(0.2)
    async with cli.office() as office, office.door.read() as store:
        stored = {int(json.loads(row.raw)["update_id"]) for row in await store.find(InboxRow)}
    assert confirmed <= stored
    assert "padding" not in (cli.folder / "desk.log").read_text(), "no message stands in the log"


def memory_of(pid: int) -> int:
    """The address space a process has now."""
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmSize")
    )
    return int(line.split()[1]) * 1024
