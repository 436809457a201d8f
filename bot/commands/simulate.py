"""`simulate`: the town against the real desk on a virtual clock, and the ledger of promises kept."""

import os
import sys
from typing import Annotated

import typer

from bot.commands.terminal import FAULTS, USAGE, Invocation, complain, help_text, invocation, show

SPEEDS = ("max", "real")
LEVELS = ("none", "light", "hard")
DAYS_MAX = 3_660
HASH_SEED = "PYTHONHASHSEED"


def simulate(
    context: typer.Context,
    days: Annotated[int, typer.Option(metavar="N", help=help_text("days"))] = 7,
    seed: Annotated[int, typer.Option(metavar="S", help=help_text("seed"))] = 1,
    speed: Annotated[str, typer.Option(metavar="|".join(SPEEDS), help=help_text("speed"))] = "max",
    faults: Annotated[str, typer.Option(metavar="|".join(LEVELS), help=help_text("faults"))] = "light",
) -> None:
    """Play the town and tell which promises were kept."""
    call = invocation(context)
    if not 1 <= days <= DAYS_MAX:
        raise call.stop("bad_days", USAGE, most=DAYS_MAX)
    for option, given, known in (("--speed", speed, SPEEDS), ("--faults", faults, LEVELS)):
        if given not in known:
            hint = call.nearest(given, known)
            raise call.stop(
                "bad_choice", USAGE, option=option, given=given, hint=hint, known=", ".join(known)
            )
    _same_order_of_sets()
    from bot.simulation import words
    from bot.simulation.play import simulate as play  # Here, so that other commands start without it.

    played = play(days, seed, faults, in_real_time=speed == "real")
    ledger, names = played.ledger, words.names(call.language)
    show(call.say("simulated", days=days, seed=seed, faults=faults))
    for promise in names:
        kept, broken = ledger.kept.get(promise, 0), ledger.broken.get(promise, 0)
        if kept or broken:
            show(call.say("simulated_line", name=names[promise], kept=kept, broken=broken))
    happened = [
        names.get(what, f"{what} {{count}}").format(count=f"{count:,}")
        for what, count in ledger.happened.items()
    ]
    show(call.say("simulated_happened", happened=" · ".join(happened)))
    show(call.say("simulated_digest", digest=played.digest))
    if ledger.holds:
        show(call.say("simulated_whole"))
        return
    _tell_breaches(call, played.breaches(), names)
    complain(call.say("simulated_again", days=days, seed=seed, faults=faults))
    raise typer.Exit(FAULTS)


def _same_order_of_sets() -> None:
    """Start this very command again where the order of sets of words is fixed, or two runs of a seed would differ."""
    if os.environ.get(HASH_SEED) != "0":
        sys.stdout.flush()
        os.execve(sys.executable, sys.orig_argv, {**os.environ, HASH_SEED: "0"})  # noqa: S606  # Ourselves again.


def _tell_breaches(call: Invocation, breaches: list[tuple[str, str, str]], names: dict[str, str]) -> None:
    complain(call.say("simulated_broken", count=len(breaches), at=breaches[0][1]))
    for promise, at, found in breaches:
        complain(call.say("simulated_found", at=at, name=names.get(promise, promise), found=found))
