"""config.toml and the environment, read into one frozen Config; every fault is told at once."""

from bot.config.faults import ConfigFaults, Fault
from bot.config.loading import load
from bot.config.settings import Config

__all__ = ["Config", "ConfigFaults", "Fault", "load"]
