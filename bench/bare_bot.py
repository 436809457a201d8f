"""The ceiling for the answers: a bare python-telegram-bot application whose handler does nothing, fed in process."""

# python -m bench.bare_bot COUNT — prints updates per second.

import asyncio
import sys
import time

from telegram import Bot, Update
from telegram.ext import Application, MessageHandler, filters


async def main(count: int) -> float:
    """Updates per second through `process_update`, parsing included."""
    application = Application.builder().bot(Bot("1:a")).updater(None).build()

    async def nothing(update: Update, context: object) -> None:
        return

    application.add_handler(MessageHandler(filters.TEXT, nothing))
    application._initialized = True  # Going through `initialize` would call the network.
    began = time.perf_counter()
    for number in range(count):
        chat = {"id": number, "type": "private", "first_name": "甲"}
        user = {"id": number, "is_bot": False, "first_name": "甲"}
        message = {"message_id": number, "date": 1_700_000_000, "chat": chat, "from": user, "text": "到"}
        update = Update.de_json({"update_id": number, "message": message}, application.bot)
        await application.process_update(update)
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    print(asyncio.run(main(int(sys.argv[1]))))
