"""The simulated town keeps its promises whatever fails, a seed is one course of events, and a breach is seen."""

import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.intake import TransactionalInbox
from bot.postman import Postman
from bot.queue.embedded import EmbeddedQueue
from bot.simulation import words
from bot.simulation.platforms import Platform
from bot.simulation.play import Played, simulate
from bot.wording import Wording
from desk import roll_calls, timetables
from desk.model import Job, Outcome, Receipt
from incidents import escalation, lifecycle
from incidents.model import Incident, State

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (1, 2, 3, 4, 5)  # One of them once made an officer late who was not.
SECONDS_MAX = 110


def told(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    return subprocess.run(
        [sys.executable, "-m", "bot", "simulate", *options],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_is_kept_with_faults_throughout(seed: int) -> None:
    run = told("--days", "2", "--seed", str(seed), "--faults", "hard")
    assert run.returncode == 0, run.stdout + run.stderr
    for fault in ("断电", "平台中断", "拨动时钟"):
        assert fault in run.stdout


def test_a_seed_is_one_course_of_events_in_any_process() -> None:
    runs = [
        told("--days", "1", "--seed", "7", "--faults", "hard", PYTHONHASHSEED=seed) for seed in ("3", "4")
    ]
    first, second = (re.findall(r"摘要 ([0-9a-f]{64})", run.stdout) for run in runs)
    assert len(first) == 1
    assert first == second


def test_two_runs_in_one_process_are_the_same_and_another_seed_is_another() -> None:
    one, again, other = (simulate(1, seed, "light") for seed in (3, 3, 4))
    assert (one.digest, one.ledger.kept) == (again.digest, again.ledger.kept)
    assert one.digest != other.digest


def test_once_faults_stop_everything_drains() -> None:
    played = simulate(1, 10, "hard")
    ledger = played.ledger
    assert ledger.holds, ledger.breaches
    assert ledger.happened["crash"] and ledger.happened["outage"]
    assert ledger.kept["letters_end"] >= played.shown
    assert ledger.kept["kept_is_heard"] == played.said


def test_without_faults_nothing_unexpected_is_logged() -> None:
    played = simulate(1, 5, "none")
    assert played.ledger.holds, played.ledger.breaches
    assert not [what for what in played.ledger.happened if what.startswith("error")]


def test_every_promise_and_every_event_of_the_ledger_has_its_words_in_both_languages() -> None:
    chinese, english = words.names("zh-CN"), words.names("en")
    assert chinese.keys() == english.keys()
    played = simulate(1, 2, "hard")
    counted = {*played.ledger.kept, *(what for what in played.ledger.happened if " " not in what)}
    assert counted <= chinese.keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--days", "0"], "1 到"),
        (["--speed", "fast"], "max, real"),
        (["--faults", "heavy"], "none, light, hard"),
    ],
)
def test_what_cannot_be_played_is_said_with_what_can(words: Sequence[str], said: str) -> None:
    run = told(*words)
    assert run.returncode == 2
    assert said in run.stderr


# A checker that cannot fail is worthless: each of these spoils one part, and the ledger must say so.


def _forget_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    real = EmbeddedQueue.put

    async def put(self: EmbeddedQueue, store: Any, jobs: Sequence[Job]) -> None:
        await real(self, store, [job for job in jobs if job.kind != "send" or job.ref[-1] not in "05AK"])

    monkeypatch.setattr(EmbeddedQueue, "put", put)


def _forget_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    real = EmbeddedQueue.put

    async def put(self: EmbeddedQueue, store: Any, jobs: Sequence[Job]) -> None:
        await real(self, store, [job for job in jobs if job.kind != "step" or job.id.endswith("/0/0")])

    monkeypatch.setattr(EmbeddedQueue, "put", put)


def _confirm_what_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    real = TransactionalInbox.take

    async def take(self: TransactionalInbox, channel: str, event_id: str, sender: str, raw: bytes) -> None:
        if not event_id.endswith("3"):
            await real(self, channel, event_id, sender, raw)

    monkeypatch.setattr(TransactionalInbox, "take", take)


def _repeat_without_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wording, "repeated", lambda self, text: text)


def _call_sent_what_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Platform.show

    async def show(self: Platform, life: Any, message: Any, address: str, key: str) -> Receipt:
        if key[-1] in "05AK":
            return Receipt(Outcome.sent, f"nowhere-{key}")
        return await real(self, life, message, address, key)

    monkeypatch.setattr(Platform, "show", show)


def _name_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def name_the_silent(*_: Any) -> None:
        return

    monkeypatch.setattr(roll_calls, "name_the_silent", name_the_silent)


def _forget_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call_rolls(*_: Any) -> None:
        return

    monkeypatch.setattr(timetables, "call_rolls", call_rolls)


def _page_on_after_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    every = (State.received, State.handed_on, State.verifying)
    real = lifecycle.sign

    def sign(incident: Incident, *words: Any) -> Incident:
        from dataclasses import replace

        return replace(real(incident, *words), next_step_at=incident.next_step_at)

    monkeypatch.setattr("desk.escalations.UNSIGNED_STATES", every)
    monkeypatch.setattr(escalation, "UNSIGNED_STATES", every)
    monkeypatch.setattr(lifecycle, "sign", sign)


def _send_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Awaitable[Receipt]] = Postman._send_one

    async def send_one(self: Postman, sending: Any, now: Any) -> Receipt:
        await real(self, sending, now)
        return await real(self, sending, now)

    monkeypatch.setattr(Postman, "_send_one", send_one)


@pytest.mark.parametrize(
    ("spoil", "faults", "broken"),
    [
        (_forget_letters, "none", "letters_end"),
        (_forget_steps, "none", "open_incidents_move"),
        (_confirm_what_is_not_kept, "none", "confirmed_is_kept"),
        (_call_sent_what_was_not, "none", "sent_is_shown"),
        (_name_nobody, "none", "silent_are_named"),
        (_forget_moments, "none", "every_moment_is_called"),
        (_page_on_after_the_signature, "none", "no_page_after_signature"),
        (_send_twice, "none", "repeats_are_marked"),
        (_repeat_without_a_mark, "hard", "repeats_are_marked"),
    ],
)
def test_a_spoilt_desk_breaks_its_promise(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[pytest.MonkeyPatch], None], faults: str, broken: str
) -> None:
    spoil(monkeypatch)
    played: Played = simulate(2 if faults == "hard" else 1, 4, faults)
    assert broken in played.ledger.broken
