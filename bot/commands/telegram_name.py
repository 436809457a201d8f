"""Asks Telegram for the bot's name, which its enrolment links need."""

import asyncio

from bot.config import Config

PATIENCE_SECONDS = 8


async def ask_bot_name(config: Config) -> tuple[str, str]:
    """The bot's user name and why it is not known; both empty without a token."""
    if config.telegram.bot_name or not config.telegram.token:
        return config.telegram.bot_name.removeprefix("@"), ""
    from bot.channels.redaction import Redaction
    from bot.channels.telegram.api import Api, Refused, Unreachable, verification
    from bot.channels.telegram.settings import TelegramSettings

    settings = TelegramSettings(token=config.telegram.token, base_url=config.telegram.base_url)
    api = Api(settings, verification(settings), Redaction(config.telegram.token))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            me = await api.call("getMe")
        return str(me["username"]), ""
    except TimeoutError:
        return "", f"no answer within {PATIENCE_SECONDS} s"
    except (Refused, Unreachable, KeyError, TypeError) as fault:
        return "", str(fault)
    finally:
        await api.close()
