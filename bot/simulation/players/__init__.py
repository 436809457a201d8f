"""The people of the town: every file here with `make(world)` brings a player, so a new flow brings its own."""

import importlib
import pkgutil

from bot.simulation.world import Player, World


def find_players(world: World) -> list[Player]:
    """Every player of this folder, by file name."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}").make(world) for name in modules]
