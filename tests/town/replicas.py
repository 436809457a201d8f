"""The replicas of one office on one PostgreSQL, and somebody who reports to them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.telegram_model import Message
from tests.fakes.telegram_server import FakeTelegram
from tests.town.conftest import PEOPLE
from tests.town.processes import Processes
from tests.town.world import MovedClock, Town


class Replicas(Processes):
    """The office's processes, and what its people said to them."""

    def __init__(self, town: Town) -> None:
        super().__init__(town.folder)
        self._town = town
        self.said = 0

    async def report(self) -> float:
        """Somebody reports, or reports on, and has an answer; says how long it took."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        phone = self._town.phones["叶倩雯"]
        phone.say(f"联丰路五金厂二楼起火，有浓烟，第{self.said}次报告")
        if not self.said:
            phone.location(22.6741, 113.2402)
        self.said += 1
        try:
            await self._town.telegram.wait_for(lambda: len(receipts(phone.received)) >= self.said, 60)
        except TimeoutError as error:
            shown = "\n---\n".join(f"{one.message_id} {one.text}" for one in phone.received)
            raise AssertionError(f"no answer came; the phone shows:\n{shown}") from error
        return loop.time() - began_at


@asynccontextmanager
async def replicated(folder: Path, url: str) -> AsyncIterator[tuple[Town, Replicas]]:
    """The town on this PostgreSQL, its people known, and no process up yet; at the end they are killed."""
    with FakeTelegram() as telegram:
        town = Town(telegram, folder, "polling", MovedClock(), url=url)
        async with town.open_desk():
            await town.people(*PEOPLE)
        several = Replicas(town)
        try:
            yield town, several
        finally:
            await several.end()
            print(several.log)


def receipts(messages: Sequence[Message]) -> list[Message]:
    """The messages that say a report, or what followed, was taken; without marked repeats."""
    said = [one for one in messages if "可能重复" not in one.text]
    return [one for one in said if "已报出" in one.text or "续报" in one.text]
