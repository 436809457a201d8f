"""Intake on PostgreSQL: the same updates, answered only after the server has their row on its disk."""

import tempfile
from pathlib import Path

from bench import postgresql
from bench.intake import SECONDS, null_per_second, results, take_in
from bench.office import fake_telegram, make_office
from bench.result import Result

RATIO_MIN = 0.35


async def measure() -> list[Result]:
    """Requests per second against a null endpoint's, and the slowest of a hundred."""
    with (
        tempfile.TemporaryDirectory() as folder,
        fake_telegram() as telegram,
        postgresql.database() as url,
    ):
        ceiling = null_per_second()
        taken = await take_in(make_office(Path(folder), telegram["base_url"], url))
    how = (
        f"webhook, 50 connections, {SECONDS} s, fsync and synchronous_commit on, server on the same machine, "
    )
    return results("intake_postgres", taken, ceiling, RATIO_MIN, how + taken.told)
