"""Notice kind -> words, one folder of words per language."""

from bot.wording.wording import Meaning, Wording, commands

__all__ = ["Meaning", "Wording", "commands"]
