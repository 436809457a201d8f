"""Puts right who was named silent though they answered in time, and were only heard late."""

from desk.letters import amend, tell, withdraw
from desk.model import Lane, Letter, LetterState, Notice
from desk.owed import MISSED
from desk.ports import Desk
from desk.recipients import names
from desk.silence import SUMMARY, TASK, summary, tasks
from roster.model import Answer, Result, RollCall

PUT_RIGHT = "put_right"  # The job: once for all that were heard together.
CORRECTION = "silence_corrected"
HEARD = "answered_in_time"
IN_TIME = (Result.present, Result.late, Result.excused)
TOLD = (LetterState.sending, LetterState.sent, LetterState.unknown)


async def note_heard(desk: Desk, roll_call: RollCall, answer: Answer, result: Result) -> None:
    """A line of a roll call that ended is answered after all: the sum follows, and whoever heard otherwise is told."""
    if roll_call.counts is None or answer.result not in MISSED:
        return
    roll_call = await desk.store.get(RollCall, roll_call.id) or roll_call
    counts = dict(roll_call.counts or {})
    for one, more in ((answer.result, -1), (result, 1)):
        counts[one.value] = counts.get(one.value, 0) + more
    counts = {name: count for name, count in counts.items() if count}
    await desk.store.change(roll_call, counts=counts)
    subject = f"roll_call:{roll_call.id}"
    desk.log("answer_heard_late", subject, answer.officer_id, was=answer.result.value, result=result.value)
    desk.due(PUT_RIGHT, roll_call.id, desk.now, key=subject, name=f"{PUT_RIGHT}/{roll_call.id}")


async def put_right(desk: Desk, roll_call_id: str) -> None:
    """Tell the leaders for whom nothing is to be verified any more, and let their cards say so."""
    roll_call = await desk.store.get(RollCall, roll_call_id)
    if roll_call is None:
        return
    subject = f"roll_call:{roll_call.id}"
    before = await desk.store.find(Letter, subject=subject, kind=CORRECTION)
    known = {ref for letter in before for ref in letter.facts["refs"]}
    letters = await desk.store.find(Letter, subject=subject, kind=TASK, amends="")
    named = {ref for letter in letters for ref in letter.facts.get("refs", ())} - known
    found = await desk.store.find(Answer, id_in=sorted(named), result_in=list(IN_TIME), concluded_by="")
    heard = {answer.id: answer for answer in found}
    wrong: dict[str, list[Answer]] = {}
    for letter in letters:
        mine = [heard[ref] for ref in letter.facts.get("refs", ()) if ref in heard]
        if mine and await _put_card_right(desk, roll_call, letter, mine):
            wrong.setdefault(letter.officer_id, []).extend(mine)
    await _put_sum_right(desk, roll_call)
    for leader_id, answers in wrong.items():
        facts = {
            "plan": roll_call.plan,
            "called_at": roll_call.called_at.isoformat(),
            "names": await names(desk, [one.officer_id for one in answers]),
            "refs": [one.id for one in answers],
        }
        tell(desk, leader_id, Notice(CORRECTION, facts), subject=subject, lane=Lane.bulk)


async def _put_card_right(desk: Desk, roll_call: RollCall, letter: Letter, heard: list[Answer]) -> bool:
    """The card that named them; says whether the leader may have read it."""
    if letter.state is LetterState.queued and letter.choices:
        await desk.store.change(letter, state=LetterState.cancelled)
        return False
    if letter.state not in (LetterState.queued, *TOLD):
        return False
    if letter.choices:
        [answer] = heard
        at = answer.answered_at or desk.now
        [name] = await names(desk, [answer.officer_id])
        facts = {"name": name, "result": answer.result.value, "at": at.isoformat()}
        amend(desk, letter, Notice(HEARD, facts))
        return True
    left = await desk.store.find(Answer, id_in=letter.facts["refs"], result_in=list(MISSED))
    for notice in (await tasks(desk, roll_call, left, cards_max=0))[:1]:
        amend(desk, letter, notice)
    return True


async def _put_sum_right(desk: Desk, roll_call: RollCall) -> None:
    """The summary that stands on phones, with the counts and names as they are now; one not sent yet is made anew."""
    silent = await desk.store.find(Answer, roll_call_id=roll_call.id, result=Result.no_answer)
    notice = await summary(desk, roll_call, roll_call.counts or {}, silent)
    subject = f"roll_call:{roll_call.id}"
    unsent = await desk.store.find(Letter, subject=subject, kind=SUMMARY, amends="", state=LetterState.queued)
    for card in await withdraw(desk, subject, [SUMMARY]):
        amend(desk, card, notice)
    for letter in unsent:
        tell(desk, letter.officer_id, notice, subject=subject)
