"""What the desk promises, each held against its rows and the phones; every file here with `make(scene)` is used."""

import importlib
import pkgutil

from bot.simulation.scene import Scene, Watcher


def find_watchers(scene: Scene) -> list[Watcher]:
    """Every watcher of this folder, by file name."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}").make(scene) for name in modules]
