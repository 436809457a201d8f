"""Puts a letter into the words of the channel it takes, in as many messages as they need."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot import delivery
from bot.sending import MARKS_UNITS
from bot.ways import mark
from bot.wording import Wording
from desk.model import Job, Letter, Rendered
from desk.ports import Channel, Desk
from roster.model import Account


class Fitting:
    """Renders letters within each channel's limits."""

    def __init__(self, channels: Mapping[str, Channel], wording: Wording) -> None:
        self._channels = channels
        self._wording = wording

    def words(self, desk: Desk, letter: Letter, way: Account) -> Sequence[Rendered]:
        """The letter's messages in this channel's words: one, or several parts of which the last has the buttons."""
        if letter.rendered is not None and has_words_for(letter, way):
            return [letter.rendered]
        is_stub = way.channel in desk.policy.stub_only
        whole = (self._wording.stub if is_stub else self._wording.render)(letter, desk.now)
        parts = delivery.split(whole.text, self._channels[way.channel].limits.text_max - MARKS_UNITS)
        if letter.amends or len(parts) == 1:
            return [whole]
        *before, last = (self._wording.part(text, place, len(parts)) for place, text in enumerate(parts, 1))
        return [*map(Rendered, before), replace(whole, text=last)]


def has_words_for(letter: Letter, way: Account) -> bool:
    """Whether its words were fixed for this channel before."""
    return letter.rendered is not None and letter.channel == way.channel


async def split_up(desk: Desk, job: Job, letter: Letter, way: Account, words: Sequence[Rendered]) -> None:
    """A letter too long for one message goes as several letters in their order, itself the last."""
    for rendered in words[:-1]:
        part = replace(
            letter,
            id=desk.new_id(),
            rendered=rendered,
            choices=(),
            interaction="",
            asks_place=False,
            channel=way.channel,
            address=way.address,
            channels=(mark(way.channel, way.address),),  # Another way takes the whole, cut anew for it.
            tried=(),
            attempts=0,
            version=1,
        )
        desk.later(part)
        desk.due(job.kind, part.id, desk.now, key=job.key, lane=job.lane)
    await desk.store.change(letter, rendered=words[-1], channel=way.channel, address=way.address)
    desk.due(job.kind, letter.id, desk.now, key=job.key, lane=job.lane)
