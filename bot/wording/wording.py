"""Turns meanings into the office's words: what is owed, in its language and time, ready for a channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bot.wording.language import Language, language, languages
from bot.wording.plain import cut, one_line
from bot.wording.speaker import Speaker
from bot.wording.stubs import ANSWERS, HARMLESS, stub_kind
from desk.model import Choice, Rendered
from desk.policy import Policy

LABEL_MAX = 20


class Meaning(Protocol):
    """A notice or a letter."""

    @property
    def kind(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...

    @property
    def choices(self) -> tuple[Choice, ...]: ...

    @property
    def asks_place(self) -> bool: ...


@dataclass(frozen=True)
class Wording:
    """The words of one office. Nothing here ever raises on odd facts: a notice must go out."""

    office: str = ""
    timezone: str = "Asia/Shanghai"
    language: str = "zh-CN"
    public_url: str = ""
    posts: Mapping[str, str] = field(default_factory=dict)  # A post's key -> the office's own name for it.

    @classmethod
    def of(cls, policy: Policy) -> "Wording":
        """The words as the office's configuration wants them."""
        posts = {rule.key: rule.name for rule in policy.posts}
        return cls(policy.office, policy.timezone, policy.language, policy.public_url, posts)

    def render(self, meaning: Meaning, now: datetime) -> Rendered:
        """A meaning in words, as read at a moment. A kind without words says that there is something to see."""
        facts = {**self._own_facts, **_with_point(meaning.facts)}
        speaker = self._speaker(now)
        text = speaker.notice(meaning.kind, facts) or speaker.notice("stub", facts) or ""
        if facts.get("drill") is True:
            text = speaker.say("drill") + text
        labelled = tuple(
            (self._label(choice, place, facts), choice.token) for place, choice in enumerate(meaning.choices)
        )
        return self._rendered(text, labelled, meaning)

    def stub(self, meaning: Meaning, now: datetime) -> Rendered:
        """For a channel that may carry no facts: there is something to see, and what needs no facts to answer.

        What tells nothing of events or of other people is said as it is."""
        if meaning.kind in HARMLESS:
            return self.render(meaning, now)
        text = self._speaker(now).notice(stub_kind(meaning.kind), self._own_facts) or ""
        labelled = tuple(
            (self._label(choice, place, {}), choice.token)
            for place, choice in enumerate(meaning.choices)
            if choice.verb in ANSWERS
        )
        return self._rendered(text, labelled, meaning)

    def part(self, text: str, number: int, count: int) -> str:
        """One part of a long text, numbered; the mark takes less than 16 characters."""
        return self._words.say["part"].format(number=number, count=count) + text

    def repeated(self, text: str) -> str:
        """A text that may have arrived before, marked 可能重复."""
        return self._words.say["repeat"] + text

    @property
    def _own_facts(self) -> dict[str, str]:
        return {"office": self.office, "desk": self.public_url}

    @property
    def _words(self) -> Language:
        return language(self.language)

    def _speaker(self, now: datetime) -> Speaker:
        return Speaker(self._words, now, self.timezone, self.posts, self.public_url)

    def _rendered(self, text: str, choices: tuple[tuple[str, str], ...], meaning: Meaning) -> Rendered:
        number = meaning.facts.get("number") or meaning.facts.get("reference")
        return Rendered(
            text=text,
            choices=choices,
            asks_place=meaning.asks_place,
            place_label=self._words.say["send_place"] if meaning.asks_place else "",
            reference=one_line(number, 2 * LABEL_MAX) if isinstance(number, str) else "",
        )

    def _label(self, choice: Choice, place: int, facts: Mapping[str, Any]) -> str:
        """What stands on a button: its verb, and whom or which one when several would read the same."""
        label = self._words.choices.get(choice.verb) or self._words.say["choose"]
        about = one_line(_about(choice, place, facts), 2 * LABEL_MAX)
        due = _due(choice, facts)
        if due is not None:  # How many will be asked is read before it is pressed, however long the name.
            many = self._words.say["due"].replace("{count}", str(due))
            room = LABEL_MAX - len(label.replace("{who}", "")) - len(many)
            return label.replace("{who}", cut(about, room) + many)
        if "{who}" in label:
            return cut(label.replace("{who}", about).strip(" ：:"), LABEL_MAX)
        whole = f"{label} {about}".strip()
        # A number's end is what tells it from the others of the day.
        return whole if len(whole) <= LABEL_MAX else f"{label} {about[-4:]}"


def commands() -> dict[str, list[tuple[str, str]]]:
    """The chat commands and what each does, by language code ("zh", "en"), the first language first."""
    return {name.partition("-")[0]: list(language(name).commands.items()) for name in languages()}


def _about(choice: Choice, place: int, facts: Mapping[str, Any]) -> str:
    if choice.verb == "to":
        return _one_of(facts.get("names"), place)
    if choice.verb == "call":
        return _one_of(facts.get("plans"), int(choice.ref)) if choice.ref.isdecimal() else ""
    if facts.get("which"):
        return _one_of(facts["which"], place)
    return _one_of(facts.get("to_sign"), place) if choice.verb == "sign" else ""


def _due(choice: Choice, facts: Mapping[str, Any]) -> int | None:
    """How many people a roll call would ask."""
    found = facts.get("due")
    if choice.verb != "call" or not choice.ref.isdecimal() or not isinstance(found, Sequence):
        return None
    place = int(choice.ref)
    return found[place] if place < len(found) and isinstance(found[place], int) else None


def _one_of(values: Any, place: int) -> str:
    """The name or the incident's number at a place of a list."""
    if not isinstance(values, Sequence) or isinstance(values, str) or place >= len(values):
        return ""
    one = values[place]
    said = one.get("number") if isinstance(one, Mapping) else one
    return said if isinstance(said, str) else ""


def _with_point(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts, and the point in figures for a place without words."""
    lat, lon = facts.get("lat"), facts.get("lon")
    if isinstance(lat, float) and isinstance(lon, float) and abs(lat) <= 90 and abs(lon) <= 180:
        return {"point": f"{lat:.5f}, {lon:.5f}", **facts}
    return dict(facts)
