"""Growth: the memory of the whole desk at the end of each day of a simulated week."""

# python -m bench.growth DAYS — the child: plays the town and prints the MiB of each midnight as JSON.

import asyncio
import ctypes
import gc
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from bench.office import ROOT
from bench.result import Result

DAYS = 7
GROWTH_MAX = 0.05


async def measure() -> list[Result]:
    """How much more memory the last midnight has than the first."""
    environ = {**os.environ, "PYTHONHASHSEED": "0"}  # As `simulate` has it: the same week each time.
    command = [sys.executable, "-m", "bench.growth", str(DAYS)]
    child = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE
    )
    told = json.loads((await child.communicate())[0])
    first, last = told["mib"][0], told["mib"][-1]
    growth = last / first - 1
    how = f"{DAYS} days of the whole town, {told['said']} messages in, {told['shown']} out, "
    how += f"the town's own memory of them included; {first:.1f} MiB after the first day, {last:.1f} after the last"
    return [
        Result(
            "growth",
            100 * growth,
            "%",
            first,
            last / first,
            f"<= {GROWTH_MAX:.0%}",
            told["kept"] and growth <= GROWTH_MAX,
            how,
        )
    ]


def main(days: int) -> None:
    """Play, and look at each midnight."""
    from bot.simulation.play import simulate  # Here: only the child plays.

    mib: list[float] = []
    played = simulate(days, 1, at_midnight=lambda: mib.append(_resident_mib()))
    said = {"mib": mib, "said": played.said, "shown": played.shown, "kept": played.ledger.holds}
    print(json.dumps(said))


def _resident_mib() -> float:
    """What this process has in memory once everything that is free is given back, MiB."""
    gc.collect()
    with suppress(OSError, AttributeError):  # Another C library gives back what it likes.
        ctypes.CDLL(None).malloc_trim(0)
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    main(int(sys.argv[1]))
