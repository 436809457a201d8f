"""WeCom (企业微信): the office's own application, by callback."""

from bot.channels.wecom.channel import WeComChannel
from bot.channels.wecom.settings import Pace, WeComSettings

__all__ = ["Pace", "WeComChannel", "WeComSettings"]
