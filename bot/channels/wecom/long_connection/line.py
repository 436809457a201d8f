"""The bot's one line: dials, signs in, pings, asks and is answered, and gives way when another takes it over."""

import asyncio
import contextlib
import logging
import random
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.protocol import State

from bot.channels.troubles import Troubles, pause
from bot.channels.wecom.faults import CallFailed, Refused, Unknown, Unsent
from bot.channels.wecom.long_connection import frames
from bot.channels.wecom.long_connection.frames import Json
from bot.channels.wecom.long_connection.seat import Seat
from bot.channels.wecom.long_connection.settings import LongConnectionSettings
from bot.channels.wecom.words import trouble
from desk.ports import Clock

log = logging.getLogger(__name__)

TOLD_AFTER_FAILURES = 5  # Shorter breaks of a line are ordinary.
CLOSE_SECONDS = 2

Hear = Callable[[Json], Awaitable[None]]


class Line:
    """One process's end of the long connection; `is_standing_by` while it is another desk's of ours, or nobody's."""

    def __init__(
        self,
        settings: LongConnectionSettings,
        clock: Clock,
        troubles: Troubles,
        seat: Seat,
        hear: Hear,
    ) -> None:
        self._settings = settings
        self._pace = settings.pace
        self._clock = clock
        self._troubles = troubles
        self._seat = seat
        self._hear = hear
        self._socket: ClientConnection | None = None
        self._asked: defaultdict[str, deque[asyncio.Future[Json]]] = defaultdict(deque)
        self._is_displaced = False
        self._failures = 0
        self.is_standing_by = True  # Until it is run here: of several processes only one runs it.

    @property
    def is_open(self) -> bool:
        """Whether the bot is signed in here."""
        return self._socket is not None and self._socket.state is State.OPEN

    async def ask(self, cmd: str, body: Mapping[str, Any], req_id: str = "") -> Json:
        """The acknowledgement of a frame. Raises Refused, Unsent or Unknown."""
        socket = self._socket
        if socket is None:
            raise Unsent("the line is down")
        return await self._ask(socket, cmd, body, req_id)

    async def run(self) -> None:
        """Keep the line until cancelled; then everything that had come is heard before it ends."""
        await self._seat.take()
        self.is_standing_by = False
        try:
            while True:
                await self._wait_for_turn()
                await self._keep_line()
        finally:
            self.is_standing_by = True
            await self._seat.leave()

    async def try_once(self) -> None:
        """Sign in and off again. Raises Refused, Unsent or Unknown."""
        try:
            async with self._dialled() as socket:
                await self._sign_in(socket)
        except (OSError, TimeoutError, WebSocketException) as fault:
            raise Unsent(_reason(fault)) from fault

    async def _wait_for_turn(self) -> None:
        """Stand by while another desk of ours has the line; give a stranger who took it a good while."""
        was_displaced, self._is_displaced = self._is_displaced, False
        while await self._seat.is_others():
            self.is_standing_by, was_displaced = True, False
            await pause(self._pace.look_seconds)
        if was_displaced:
            await self._troubles.begin("displaced", trouble(self._settings.language, "displaced"))
            await pause(_jittered(self._pace.stand_down_seconds))
        if self.is_standing_by:
            await self._seat.take()
            self.is_standing_by = False

    async def _keep_line(self) -> None:
        language = self._settings.language
        try:
            async with self._dialled() as socket:
                await self._talk(socket)
            reason = "closed"  # Without a fault; a refusal in disguise is met more and more slowly.
        except Refused as refusal:
            await self._failed("bot_refused", trouble(language, "bot_refused", code=refusal.code))
            return
        except (OSError, TimeoutError, WebSocketException, CallFailed) as fault:
            reason = _reason(fault)
        log.info("wecom: the line ended: %s", reason)
        await self._failed("bot_unreachable", trouble(language, "bot_unreachable", reason=reason))

    async def _failed(self, kind: str, words: str) -> None:
        if self._is_displaced:
            return
        self._failures += 1
        if kind == "bot_refused" or self._failures >= TOLD_AFTER_FAILURES:
            await self._troubles.begin(kind, words)
        await pause(_jittered(self._pace.back_off(self._failures)))

    def _dialled(self) -> connect:
        return connect(
            self._settings.ws_url,
            open_timeout=self._pace.connect_seconds,
            close_timeout=CLOSE_SECONDS,
            ping_interval=None,  # The vendor's ping is a frame of its own.
            max_size=frames.FRAME_BYTES_MAX,
        )

    async def _talk(self, socket: ClientConnection) -> None:
        """Hear until the line ends. Cancelled, the line is closed first, and what was on its way still heard."""
        await self._sign_in(socket)
        reading = asyncio.create_task(self._read(socket), name="wecom line")
        pinging = asyncio.create_task(self._ping(socket), name="wecom ping")
        try:
            self._socket = socket
            await self._tell_gap()
            await self._seat.renew()
            await self._troubles.end("bot_refused", "bot_unreachable", "displaced")
            await asyncio.wait({reading, pinging}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._socket = None
            pinging.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await socket.close()
            await self._finish(reading)
            self._forget_asked()
            ends = await asyncio.gather(pinging, reading, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _finish(self, reading: asyncio.Task[None]) -> None:
        """Let the reader come to the end of what had arrived."""
        done, _ = await asyncio.wait({reading}, timeout=self._pace.stop_seconds)
        if not done:
            reading.cancel()
            await asyncio.wait({reading})

    async def _sign_in(self, socket: ClientConnection) -> None:
        body = {"bot_id": self._settings.bot_id, "secret": self._settings.bot_secret}
        req_id = frames.new_id(frames.SUBSCRIBE)
        await socket.send(frames.written(frames.SUBSCRIBE, req_id, body))
        async with asyncio.timeout(self._pace.answer_seconds):
            while True:
                with contextlib.suppress(ValueError):
                    frame = frames.read(await socket.recv())
                    if "cmd" not in frame and frames.req_id_of(frame) == req_id:
                        _raise_if_refused(frame)
                        return
                    await self._hear_frame(frame)

    async def _read(self, socket: ClientConnection) -> None:
        async for raw in socket:
            try:
                frame = frames.read(raw)
            except ValueError as fault:  # Nothing can be kept that is no frame; the line itself is well.
                log.warning("wecom: %d bytes on the line are no frame: %s", len(raw), fault)
                continue
            await self._hear_frame(frame)

    async def _hear_frame(self, frame: Json) -> None:
        if frame.get("cmd") in (frames.MESSAGE, frames.EVENT):
            if frames.kind_of_event(frame) == frames.DISPLACED:
                self._is_displaced = True
            else:
                await self._hear(frame)
            return
        waiting = self._asked.get(frames.req_id_of(frame))
        while waiting:
            answer = waiting.popleft()
            if not answer.done():
                answer.set_result(frame)
                break

    async def _ping(self, socket: ClientConnection) -> None:
        """A peer that does not answer is dead, however open its line looks."""
        while True:
            await pause(self._pace.ping_seconds)
            try:
                await self._ask(socket, frames.PING, {})
            except Refused as refusal:
                raise Unknown(f"ping: {refusal}") from refusal
            self._failures = 0
            await self._seat.renew()

    async def _ask(
        self, socket: ClientConnection, cmd: str, body: Mapping[str, Any], req_id: str = ""
    ) -> Json:
        req_id = req_id or frames.new_id(cmd)
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        if socket.state is not State.OPEN:
            raise Unsent("the line is down")
        self._asked[req_id].append(answer)
        try:
            async with asyncio.timeout(self._pace.answer_seconds):
                await socket.send(frames.written(cmd, req_id, body))
                frame = await answer
        except TimeoutError as fault:
            raise Unknown(f"{cmd} was not acknowledged") from fault
        except ConnectionClosed as fault:
            raise Unknown(f"the line was lost during {cmd}") from fault
        finally:
            answer.cancel()
            if not any(not one.done() for one in self._asked.get(req_id, ())):
                self._asked.pop(req_id, None)
        _raise_if_refused(frame)
        return frame

    def _forget_asked(self) -> None:
        """What was asked and not acknowledged on a line that is gone may have happened."""
        for waiting in self._asked.values():
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(Unknown("the line was lost"))
        self._asked.clear()

    async def _tell_gap(self) -> None:
        """What people wrote while nobody listened is lost with the vendor: they are asked to write again."""
        held = await self._seat.held()
        now = self._clock.now()
        if held is not None and (now - held.reached_at).total_seconds() > self._longest_quiet:
            await self._troubles.once("gap", f"{held.reached_at.isoformat()}/{now.isoformat()}")

    @property
    def _longest_quiet(self) -> float:
        return self._pace.ping_seconds + self._pace.gap_seconds


def _raise_if_refused(frame: Json) -> None:
    code = frame.get("errcode")
    if code != 0:
        number = code if isinstance(code, int) else -1
        raise Refused(number, frames.text_in(frame, "errmsg") or "no errcode")


def _jittered(seconds: float) -> float:
    """A crowd of desks must not come back at once."""
    return seconds * random.uniform(0.75, 1.25)


def _reason(fault: BaseException) -> str:
    return f"{type(fault).__name__} {fault}".strip()[:200]
