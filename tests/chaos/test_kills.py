"""A desk that is killed again and again, at any moment, loses nothing, doubles nothing and skips nothing.

CHAOS_SEED replays the plan of a run; CHAOS_KILLS changes the number of kills, 120 of a desk alone and 16 over three
replicas."""

import os
import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from bot.work import PAGES_AT_ONCE, SEND_BATCH_MAX, SENDS_AT_ONCE
from tests.chaos.checker import broken_promises, marked_copies
from tests.chaos.ledger import Ledger
from tests.chaos.night import DRAIN_SECONDS, Night
from tests.chaos.office import Office, Starter
from tests.chaos.on_telegram import OnTelegram
from tests.chaos.on_wecom import OnWeCom
from tests.chaos.on_wecom_bot import OnWeComBot
from tests.chaos.platform import Platform
from tests.chaos.replica_night import ReplicaNight
from tests.chaos.spoils import spoils
from tests.fakes.telegram_server import FakeTelegram
from tests.fakes.wecom_server import FakeWeCom, Limits
from tests.postgresql import Server, started

KILLS = int(os.environ.get("CHAOS_KILLS", "120"))
REPLICA_KILLS = int(os.environ.get("CHAOS_KILLS", "16"))
TAKE_OVER_SECONDS_MAX = 30.0
SEED = os.environ.get("CHAOS_SEED") or secrets.token_hex(4)


@contextmanager
def _telegram(mode: str) -> Iterator[Platform]:
    with FakeTelegram(retry_factor=RETRY_FACTOR) as telegram:
        yield OnTelegram(telegram, mode)


@contextmanager
def _wecom() -> Iterator[Platform]:
    with FakeWeCom(limits=Limits(paced=False)) as wecom:
        yield OnWeCom(wecom)


@contextmanager
def _long_connection() -> Iterator[Platform]:
    with FakeWeCom(limits=Limits(paced=False)) as wecom:
        yield OnWeComBot(wecom)


WAYS: dict[str, Callable[[], AbstractContextManager[Platform]]] = {
    "polling": partial(_telegram, "polling"),
    "webhook": partial(_telegram, "webhook"),
    "wecom": _wecom,
    "long_connection": _long_connection,
}
KILLS_ENOUGH = 120  # A shorter night, a quarter of it each way, may lack something that could be spoilt.
SLOTS = SEND_BATCH_MAX * (PAGES_AT_ONCE + SENDS_AT_ONCE)  # So many letters one desk has on their way at most.
SECONDS_EACH = 8  # A kill takes one or two; the rest is for a busy machine.
RETRY_FACTOR = 0.05  # Telegram's webhook pauses of seconds and minutes, so that a night fits into minutes.


@pytest.mark.chaos
@pytest.mark.timeout(DRAIN_SECONDS + SECONDS_EACH * KILLS // len(WAYS))
@pytest.mark.parametrize("way", WAYS)
async def test_fault_1_to_5_a_desk_killed_at_any_moment_loses_doubles_and_skips_nothing(
    way: str, tmp_path: Path
) -> None:
    print(f"CHAOS_SEED={SEED} CHAOS_KILLS={KILLS} {way}")
    dice = random.Random(f"{SEED}/{way}")
    with WAYS[way]() as platform:
        office = Office(platform, tmp_path)
        await office.set_up()
        async with Starter(office) as starter:
            night = Night(office, starter, dice)
            for number in range(KILLS // len(WAYS)):
                await night.live_and_die(number)
            books = await night.end()
    check(night, books, sum(night.deaths.values()))

    # The checker itself: each fault done to these books is noticed.
    told, now = night.crowd.told, datetime.now(UTC)
    for name, spoil in spoils().items() if KILLS >= KILLS_ENOUGH else ():
        words = name.partition("|")[2]
        noticed = broken_promises(spoil(books, told), told, now)
        assert any(words in sentence for sentence in noticed), f"{name} was not noticed: {noticed[:3]}"


@pytest.mark.chaos
@pytest.mark.postgresql
@pytest.mark.timeout(DRAIN_SECONDS + SECONDS_EACH * REPLICA_KILLS)
@pytest.mark.parametrize("way", ["webhook", "polling"])
async def test_fault_22_and_25_three_replicas_killed_at_any_moment_lose_double_and_skip_nothing(
    way: str, tmp_path: Path
) -> None:
    print(f"CHAOS_SEED={SEED} CHAOS_KILLS={REPLICA_KILLS} over three replicas, {way}")
    dice = random.Random(f"{SEED}/replicas/{way}")
    with _telegram(way) as platform, started() as server:
        office = Office(platform, tmp_path, Server(server.get_uri()).url("postgres"))
        await office.set_up()
        async with Starter(office) as starter:
            night = ReplicaNight(office, starter, dice, server)
            async with night.standing():
                for number in range(REPLICA_KILLS // 2):
                    await night.live_and_die(number)
                books = await night.end()
    kills, deaths = sum(night.deaths.values()), night.server_deaths
    print(
        f"{dict(night.by_role)}, PostgreSQL {deaths} times; {night.front.broken_off} answers broken off, "
        f"{night.starts_in_vain} starts without a database"
    )
    print(f"after a kill: {night.take_overs.figures()}")
    check(night, books, kills + deaths * len(night.replicas))
    assert night.take_overs.p99 <= TAKE_OVER_SECONDS_MAX


def check(night: Night, books: Ledger, ends: int) -> None:
    """Print the figures of a night and hold its books against what people did; `ends` counts every cut-off desk."""
    told, now = night.crowd.told, datetime.now(UTC)
    print(f"{sum(night.deaths.values())} kills {dict(night.deaths)}, {night.starter.cold_starts} cold starts")
    print(f"{len(told.events)} messages said, {len(books.copies)} shown, {len(books.incidents)} incidents")
    print(f"roll calls {[call.counts for call in books.roll_calls]}, {len(told.photos)} photos")
    marked = marked_copies(books)
    print(f"{marked} copies marked as repeats, {marked / ends:.2f} a kill, of {SLOTS} on their way at most")
    assert marked <= ends * SLOTS
    broken = broken_promises(books, told, now)
    assert not broken, f"CHAOS_SEED={SEED}: {len(broken)} broken promises\n" + "\n".join(broken[:40])
