"""Telegram: our own durable intake; python-telegram-bot only sends."""

from bot.channels.telegram.channel import TelegramChannel
from bot.channels.telegram.settings import Pace, TelegramSettings

__all__ = ["Pace", "TelegramChannel", "TelegramSettings"]
