"""WeCom's AI bot over its long connection: the desk dials out, so that it needs no public address."""

from bot.channels.wecom.long_connection.channel import LongConnectionChannel
from bot.channels.wecom.long_connection.settings import LinePace, LongConnectionSettings

__all__ = ["LinePace", "LongConnectionChannel", "LongConnectionSettings"]
