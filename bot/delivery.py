"""What becomes of a letter after one sending: done, again later, another way, or given up. Pure rules."""

# A page that is missing is worse than one that comes twice; for a digest it is the other way round.

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.model import Lane, Letter, LetterState, Outcome, Receipt

AGAIN_AFTER_SECONDS = (1, 5, 30, 120, 600)
ATTEMPTS_MAX = (
    10  # About an hour of outcomes nobody understands: then it is shown on the desk as undeliverable.
)
CUT_OFF_MAX = (
    30  # Our own end says nothing of the platform, but a letter that is there each time may be its cause.
)
OTHER_WAY_AFTER_ATTEMPTS = 3
UNKNOWN_AGAIN_SECONDS = 10
NOT_HERE_AGAIN_SECONDS = 0.2  # Per attempt: the process that can send it soon finds it due …
NOT_HERE_AGAIN_SECONDS_MAX = 2.0  # … and while there is none, nobody is kept busy with it.
UNKNOWNS_MAX_PAGE = 2
UNKNOWNS_MAX_RECEIPT = 1
STALE_AFTER = {Lane.urgent: timedelta(hours=24), Lane.bulk: timedelta(hours=6)}
ENDS = ("\n", "。", "；", "，", " ")  # Where a long text is cut, the best first.
DIGESTS = frozenset({"bulletin_daily", "bulletin_weekly", "zero_report"})
NEVER_REPEATED = frozenset({"status", "on_duty", "mine", "help"})  # Asking again costs the reader one word.


@dataclass(frozen=True)
class Verdict:
    """The letter's next state; with `again_at` it is queued once more, with `other_way` through another account."""

    state: LetterState
    again_at: datetime | None = None
    unknowns: int = 0
    other_way: bool = False


def judge(letter: Letter, receipt: Receipt, now: datetime, *, hides_repeats: bool) -> Verdict:
    """What one receipt means for the letter."""
    match receipt.outcome:
        case Outcome.sent:
            return Verdict(LetterState.sent, unknowns=letter.unknowns)
        case Outcome.refused:
            return Verdict(LetterState.queued, now, letter.unknowns, other_way=True)
        case Outcome.unknown:
            return after_unknown(letter, now, hides_repeats=hides_repeats)
    if receipt.new_address and letter.attempts < OTHER_WAY_AFTER_ATTEMPTS:
        return Verdict(LetterState.queued, now, letter.unknowns)
    if receipt.not_here:
        seconds = min(NOT_HERE_AGAIN_SECONDS * letter.attempts, NOT_HERE_AGAIN_SECONDS_MAX)
        return Verdict(LetterState.queued, now + timedelta(seconds=seconds), letter.unknowns)
    if receipt.retry_after_seconds is not None:
        return Verdict(
            LetterState.queued, now + timedelta(seconds=receipt.retry_after_seconds), letter.unknowns
        )
    # However long the platform is away: it waits, until it is stale.
    return Verdict(LetterState.queued, now + pause(letter.attempts), letter.unknowns)


def after_unknown(
    letter: Letter, now: datetime, *, hides_repeats: bool, attempts_max: int = ATTEMPTS_MAX
) -> Verdict:
    """It may have arrived: sent again at most so often as its class bears, and marked from then on."""
    if hides_repeats or letter.amends:  # A second time shows nothing twice, unless it goes another way.
        unknowns = letter.unknowns if letter.amends else max(letter.unknowns, 1)
        if letter.attempts >= attempts_max:
            return Verdict(LetterState.failed, unknowns=unknowns)
        return Verdict(LetterState.queued, now + pause(letter.attempts), unknowns)
    unknowns = letter.unknowns + 1
    if unknowns > unknowns_max(letter):
        return Verdict(LetterState.unknown, unknowns=unknowns)
    return Verdict(LetterState.queued, now + timedelta(seconds=UNKNOWN_AGAIN_SECONDS), unknowns)


def unknowns_max(letter: Letter) -> int:
    """How often a letter that may have arrived is sent again: what asks for an answer twice, a receipt once."""
    if letter.kind in NEVER_REPEATED or letter.kind.startswith("bulletin"):
        return 0
    return UNKNOWNS_MAX_PAGE if letter.choices else UNKNOWNS_MAX_RECEIPT


def pause(attempts: int) -> timedelta:
    """The pause after so many attempts, with jitter so that a crowd does not come back at once."""
    seconds = AGAIN_AFTER_SECONDS[min(max(attempts, 1), len(AGAIN_AFTER_SECONDS)) - 1]
    return timedelta(seconds=seconds * random.uniform(0.9, 1.1))


def can_wait(letter: Letter) -> bool:
    """Whether some minutes are no matter: a digest's readers wait for nothing."""
    return letter.lane is Lane.bulk and letter.kind in DIGESTS


def is_stale(letter: Letter, now: datetime) -> bool:
    """Whether the letter waited so long that sending it would only confuse."""
    return now - letter.made_at > STALE_AFTER[letter.lane]


def split(text: str, units_max: int) -> list[str]:
    """A long text in parts that fit, cut at line or sentence ends where possible; lengths in UTF-16 units."""
    parts: list[str] = []
    while _units(text) > units_max:
        end = _fitting(text, units_max)
        found = (text.rfind(mark, end // 2, end) + 1 for mark in ENDS)
        cut = next((at for at in found if at), end)
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip("\n ")
    return [*parts, text]


def _fitting(text: str, units_max: int) -> int:
    end = min(len(text), units_max)
    while _units(text[:end]) > units_max:
        end -= max(1, (_units(text[:end]) - units_max) // 2)
    return end


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
