"""Boot: from starting the process until /readyz."""

import tempfile
from pathlib import Path

from bench.office import desk, fake_telegram, fill, make_office, peak_mib, start_desk, stop, wait_ready
from bench.result import Result

STARTS = 3
SECONDS_MAX = 2.0


async def measure() -> list[Result]:
    """The median of a few starts."""
    with tempfile.TemporaryDirectory() as folder, fake_telegram() as telegram:
        office = make_office(Path(folder), telegram["base_url"])
        database = office.database
        await database.start()
        await fill(database, 500)
        await database.close()
        with desk(office):
            pass  # The first start brings the schema; the figure is of later ones.
        waits, peaks = [], []
        for _ in range(STARTS):
            process = start_desk(office)
            try:
                waits.append(wait_ready(office, process))
                peaks.append(peak_mib(process))
            finally:
                stop(process)
    seconds = sorted(waits)[STARTS // 2]
    how = f"median of {STARTS} starts, 500 officers, {max(peaks):.0f} MiB at /readyz"
    bar = f"<= {SECONDS_MAX:g} s"
    return [Result("boot", seconds, "s", None, None, bar, seconds <= SECONDS_MAX, how)]
