"""The peer: a plain python-telegram-bot with JobQueue, as its users write it, that reminds many chats at one moment."""

# python -m bench.peer_bot BASE_URL CHATS SECONDS LIVES — prints the due moment, and at its end how many sends failed.

import asyncio
import json
import sys
import time

from telegram.error import TelegramError
from telegram.ext import Application, CallbackContext

from bench.office import FIRST_CHAT, TOKEN


async def main(base_url: str, chats: int, seconds: float, lives: float) -> None:
    """Remind every chat once, `seconds` from now; with no chats it is the bot after a restart."""
    application = Application.builder().token(TOKEN).base_url(base_url).updater(None).build()
    failed: list[str] = []

    async def remind(context: CallbackContext) -> None:  # type: ignore[type-arg]  # Any context does.
        for number in range(chats):
            try:
                await context.bot.send_message(FIRST_CHAT + number, "请签收")
            except TelegramError as error:
                failed.append(type(error).__name__)

    async with application:
        await application.start()
        queue = application.job_queue
        assert queue is not None
        due = time.time() + seconds
        queue.run_once(remind, seconds)
        print(json.dumps({"due": due}), flush=True)
        await asyncio.sleep(lives)
        print(json.dumps({"failed": {name: failed.count(name) for name in set(failed)}}), flush=True)
        await application.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
