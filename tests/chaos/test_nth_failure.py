"""The first, the second, … the last call of any port fails, and nothing is lost, doubled unmarked or given up."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bot.simulation.inline import Disk
from bot.simulation.loop import VirtualLoop
from bot.simulation.messages import Shown
from bot.simulation.platforms import pass_by
from bot.simulation.stand_ins import standing_in
from incidents.model import AttachmentState
from roster.model import Result
from tests.chaos.fuse import Fuse, Way
from tests.chaos.small_office import Books, SmallOffice

SECONDS = 40 * 60.0  # Virtual: every ladder, window and retry is over by then.
PICTURE = b"\xff\xd8 a picture" * 40


class ReportToSignature:
    """A report with a place and a picture climbs to the leader, who signs and closes it."""

    def __init__(self, office: SmallOffice) -> None:
        self._office = office
        self._pressed: set[str] = set()

    def begin(self) -> None:
        """The village speaks."""
        office = self._office
        office.on_shown = self._sees
        office.platforms["telegram"].files["f1"] = PICTURE
        picture = [{"kind": "photo", "remote_id": "f1", "bytes_count": len(PICTURE)}]
        office.later(5, office.say, "陈村", "报送 联丰路五金厂起火有浓烟 T00001号")
        office.later(6, lambda: office.say("陈村", kind="place", place={"lat": 22.6741, "lon": 113.2402}))
        office.later(8, lambda: office.say("陈村", kind="media", files=picture))

    def _sees(self, shown: Shown) -> None:
        """The duty officer never signs; the leader does, and later says how it ended."""
        is_leader = shown.phone is self._office.phones["李领"]
        for verb in ("sign", "close"):
            if is_leader and shown.ref(verb) and verb not in self._pressed:
                self._pressed.add(verb)
                self._office.later(20, self._press, shown, verb)

    def _press(self, shown: Shown, verb: str) -> None:
        self._office.press(shown, verb)
        if verb == "close":
            self._office.later(20, self._office.say, "李领", "火已扑灭，无人受伤 T00002号")

    def faults(self, books: Books) -> list[str]:
        """What this story must leave behind."""
        found = []
        if [one.state.value for one in books.incidents] != ["closed"]:
            found.append(f"incidents {[one.state for one in books.incidents]}")
        words = [one.text for one in books.reports]
        if sum("T00001号" in text for text in words) != 1:
            found.append(f"reports {words}")
        if [one.state for one in books.attachments] != [AttachmentState.stored]:
            found.append(f"pictures {[(one.state, one.fault) for one in books.attachments]}")
        elif sum(books.attachments[0].id in one.attachment_ids for one in books.reports) != 1:
            found.append("the picture hangs on no report, or on several")
        if sum(one.place is not None and one.place.lat == 22.6741 for one in books.reports) != 1:
            found.append("the place is not there once")
        return found


class RollCallToSummary:
    """A roll call in which one taps, one speaks, one excuses and one stays silent."""

    def __init__(self, office: SmallOffice) -> None:
        self._office = office
        self._done: set[str] = set()

    def begin(self) -> None:
        """The office wants to call the roll."""
        self._office.on_shown = self._sees
        self._office.later(5, self._office.say, "欧办", "/rollcall")

    def _sees(self, shown: Shown) -> None:
        office = self._office
        officer = shown.phone.officer
        assert officer is not None
        if shown.ref("call") and "call" not in self._done:
            self._done.add("call")
            office.later(5, office.press, shown, "call")
        if shown.ref("present") and officer.name not in self._done:
            self._done.add(officer.name)
            answer: dict[str, Callable[[], object]] = {
                "陈村": lambda: office.press(shown, "present"),
                "邓值": lambda: office.say("邓值", "到"),
                "李领": lambda: office.say("李领", "请假 送医"),
            }
            if officer.name in answer:
                office.later(30, answer[officer.name])

    def faults(self, books: Books) -> list[str]:
        """What this story must leave behind."""
        found = []
        if [one.state.value for one in books.roll_calls] != ["closed"]:
            found.append(f"roll calls {[one.state for one in books.roll_calls]}")
        results = {one.officer_id: one.result for one in books.answers}
        wanted = {
            "陈村": Result.present,
            "邓值": Result.present,
            "李领": Result.excused,
            "欧办": Result.no_answer,
        }
        if results != wanted:
            found.append(f"answers {results}")
        return found


Story = type[ReportToSignature] | type[RollCallToSummary]


@dataclass
class Played:
    """What came of one run."""

    faults: list[str]
    outline: Counter[str]
    fuse: Fuse
    lives: int


def play(story: Story, way: Way, at: int) -> Played:
    """The story from its beginning to its end, with the Nth call failing."""
    loop, fuse = VirtualLoop(), Fuse(way, at)

    async def run() -> Played:
        office = SmallOffice(loop, fuse)
        await office.begin()
        told = story(office)
        told.begin()
        await pass_by(SECONDS)
        books = await office.books()
        office.end()
        return Played([*office.faults(books), *told.faults(books)], outline(books), fuse, office.lives)

    # The same chance each time: the Nth call of one run is the Nth of the next.
    with standing_in(1, Disk(), logging.NullHandler()), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(run())


def outline(books: Books) -> Counter[str]:
    """What the duty log says and who was owed what, without ids and times."""
    lines = Counter(f"log: {one.kind} by {one.actor}" for one in books.lines)
    letters = Counter(f"letter: {one.kind} to {one.officer_id}" for one in books.letters if not one.amends)
    return lines + letters


def differences(untouched: Counter[str], played: Counter[str]) -> list[str]:
    """Everything there is once more or once less than on an untouched night, beyond what a failure may change."""
    more = [
        f"{count} more of {what}" for what, count in (played - untouched).items() if not may_be_more(what)
    ]
    return more + [
        f"{count} fewer of {what}" for what, count in (untouched - played).items() if not may_be_less(what)
    ]


def may_be_more(what: str) -> bool:
    """The office is told of a disk without room, and when there is room again."""
    return what.endswith(("channel_trouble by system", "channel_well by system", "trouble to 欧办"))


def may_be_less(what: str) -> bool:
    """What came before the page left, because that was late, is in the page."""
    return what == "letter: follow_up_arrived to 邓值"


@pytest.mark.timeout(600)  # Hundreds of runs of a story.
@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("story", [ReportToSignature, RollCallToSummary])
def test_fault_44_whichever_call_fails_nothing_is_lost_or_silently_doubled(story: Story, way: Way) -> None:
    untouched = play(story, way, 0)
    assert untouched.faults == []
    broken: list[str] = []
    failed, at = Counter[str](), 0
    while True:
        at += 1
        played = play(story, way, at)
        if not played.fuse.blown:
            break
        failed[played.fuse.blown] += 1
        faults = [*played.faults, *differences(untouched.outline, played.outline)]
        broken += [f"call {at}, {played.fuse.blown}: {fault}" for fault in faults]
    assert at - 1 == untouched.fuse.calls, "the runs are not the same"
    print(f"{story.__name__}, {way.value}: {at - 1} calls failed, {dict(failed)}")
    assert not broken, f"{len(broken)} faults\n" + "\n".join(broken[:40])
