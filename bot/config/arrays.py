"""The arrays of config.toml: posts, roll calls, ladders and bulletins, each entry checked against the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from bot.config import defaults
from bot.config.faults import nearest, shown
from bot.config.reading import Place, Reader
from desk.policy import BulletinPlan
from incidents.model import Category, Ladder, Severity, Step
from roster.model import PostRule, RandomMoments, Role, RollCallPlan

R = TypeVar("R")

NAMES = ("roll_call", "escalation", "bulletin", "post")
ON_TIME_MINUTES = 5.0
REMIND_AFTER_MINUTES = (2.0, 4.0)


@dataclass(frozen=True)
class Arrays:
    """Everything that is written as [[…]], or the built-in entries where an array is absent."""

    posts: tuple[PostRule, ...] = defaults.POSTS
    roll_calls: tuple[RollCallPlan, ...] = defaults.ROLL_CALLS
    ladders: tuple[Ladder, ...] = defaults.LADDERS
    bulletins: tuple[BulletinPlan, ...] = defaults.BULLETINS


@dataclass(frozen=True)
class _When:
    severity: tuple[Severity, ...] = ()
    category: tuple[Category, ...] = ()
    unit: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rungs:
    """An entry of [[escalation]] as it is written."""

    name: str
    steps: tuple[str, ...]  # Tables, read one by one.
    when: str = ""  # A table, too.
    repeat: int = 3


class ArrayReader:
    """Reads the arrays of one file."""

    def __init__(self, reader: Reader, tables: Mapping[str, Any]) -> None:
        self._reader = reader
        self._tables = tables
        self._posts: tuple[str, ...] = ()

    def read(self) -> Arrays:
        """All arrays; faults go to the reader."""
        posts = self._entries("post", self._post, defaults.POSTS, key="key")
        self._posts = tuple(post.key for post in posts)
        arrays = Arrays(
            posts,
            self._entries("roll_call", self._roll_call, defaults.ROLL_CALLS),
            self._entries("escalation", self._ladder, defaults.LADDERS),
            self._entries("bulletin", self._bulletin, defaults.BULLETINS),
        )
        if "post" in self._tables and not self._reader.faults:
            self._keep_built_in_posts(arrays)
        return arrays

    def _keep_built_in_posts(self, arrays: Arrays) -> None:
        """Built-in entries that call a post the office no longer has would call nobody."""
        called = {
            "roll_call": [post for plan in arrays.roll_calls for post in plan.posts],
            "escalation": [word for ladder in arrays.ladders for step in ladder.steps for word in step.to],
            "bulletin": [word for bulletin in arrays.bulletins for word in bulletin.to],
        }
        for name, words in called.items():
            posts = {
                word.removeprefix("post:") for word in words if not word.startswith(("role:", "officer:"))
            }
            gone = sorted(posts - set(self._posts))
            if gone and name not in self._tables:
                self._reader.fault("[[post]]", "post_gone", name=name, found=", ".join(gone))

    def words(self, words: Iterable[str], where: str) -> None:
        """Names each word that can mean nobody: post:…, role:… or officer:…, with @unit after it."""
        for word in words:
            kind, _, name = word.partition(":")
            name, _, unit = name.partition("@")
            known = {"post": self._posts, "role": tuple(role.value for role in Role)}.get(kind, ())
            is_good = name in known or (kind == "officer" and bool(name))
            if not is_good or (word.endswith("@") and not unit):
                choices = [f"post:{one}" for one in self._posts] + [f"role:{one.value}" for one in Role]
                self._reader.fault(where, "word", found=shown(word), hint=nearest(word, choices))

    def _entries(self, name: str, read: Any, otherwise: tuple[R, ...], key: str = "name") -> tuple[R, ...]:
        if name not in self._tables:
            return otherwise
        raw = self._tables[name]
        if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
            self._reader.fault(f"[[{name}]]", "not_array", name=name)
            return otherwise
        found: list[R] = []
        names: set[str] = set()
        for number, one in enumerate(raw, start=1):
            called = one.get(key)
            told = called if isinstance(called, str) and called else f"#{number}"
            place = Place(f"[[{name}]] {told}", name)
            if isinstance(called, str) and called in names:
                self._reader.fault(place.of(key), "twice", found=shown(called))
            names.add(str(called))
            before = len(self._reader.faults)
            entry = read(one, place)
            if len(self._reader.faults) == before:
                found.append(entry)
        return tuple(found)

    def _post(self, raw: Mapping[str, Any], place: Place) -> PostRule | None:
        values = self._reader.record(PostRule, raw, place)
        return PostRule(**values) if {"key", "name"} <= values.keys() else None

    def _roll_call(self, raw: Mapping[str, Any], place: Place) -> RollCallPlan | None:
        values = self._reader.record(RollCallPlan, raw, place, more=["random"])
        if "random" in raw:
            values["random"] = self._random(raw["random"], place)
        if bool(raw.get("cron")) == ("random" in raw):
            self._reader.fault(place.told, "cron_or_random")
        for post in values.get("posts", ()):
            if post not in self._posts:
                words = ", ".join(self._posts)
                hint = nearest(post, self._posts)
                self._reader.fault(place.of("posts"), "choice", words=words, found=shown(post), hint=hint)
        self._fit_clocks(values, place)
        return RollCallPlan(**values) if "name" in values else None

    def _random(self, raw: Any, place: Place) -> RandomMoments | None:
        if not isinstance(raw, dict):
            self._reader.fault(place.of("random"), "wrong_type", expected="table", found=shown(raw))
            return None
        values = self._reader.record(RandomMoments, raw, Place(place.of("random"), "random"))
        return RandomMoments(**values) if "window" in values else None

    def _fit_clocks(self, values: dict[str, Any], place: Place) -> None:
        """What is not written fits itself into the answer window; what is written must fit."""
        window = values.get("answer_window_minutes", RollCallPlan.answer_window_minutes)
        if values.setdefault("on_time_minutes", min(ON_TIME_MINUTES, window)) > window:
            found = f"{values['on_time_minutes']:g}"
            self._reader.fault(place.of("on_time_minutes"), "too_long", found=found, most=f"{window:g}")
        sooner = tuple(minutes for minutes in REMIND_AFTER_MINUTES if minutes < window)
        reminders = values.setdefault("remind_after_minutes", sooner)
        self._rising(reminders, place.of("remind_after_minutes"))
        for minutes in reminders:
            if minutes >= window:
                where = place.of("remind_after_minutes")
                self._reader.fault(where, "too_long", found=f"{minutes:g}", most=f"{window:g}")

    def _ladder(self, raw: Mapping[str, Any], place: Place) -> Ladder | None:
        values = self._reader.record(_Rungs, raw, place, more=["steps", "when"])
        when = self._when(raw.get("when", {}), place)
        steps = self._steps(raw.get("steps", []), place)
        if "name" not in values:
            return None
        return Ladder(
            values["name"], tuple(steps), when.severity, when.category, when.unit, values.get("repeat", 3)
        )

    def _when(self, raw: Any, place: Place) -> _When:
        if not isinstance(raw, dict):
            self._reader.fault(place.of("when"), "wrong_type", expected="table", found=shown(raw))
            return _When()
        return _When(**self._reader.record(_When, raw, Place(place.of("when"), "when")))

    def _steps(self, raw: Any, place: Place) -> list[Step]:
        if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
            self._reader.fault(place.of("steps"), "wrong_type", expected="list", found=shown(raw))
            return []
        if not raw:
            self._reader.fault(place.told, "no_steps")
        steps = []
        for number, one in enumerate(raw, start=1):
            step_place = Place(place.of(f"steps {number}"), "step")
            values = self._reader.record(Step, one, step_place)
            self.words(values.get("to", ()), step_place.of("to"))
            if {"after_minutes", "to"} <= values.keys():
                steps.append(Step(**values))
        self._rising([step.after_minutes for step in steps], place.of("steps"), may_equal=True)
        return steps

    def _bulletin(self, raw: Mapping[str, Any], place: Place) -> BulletinPlan | None:
        values = self._reader.record(BulletinPlan, raw, place)
        self.words(values.get("to", ()), place.of("to"))
        return BulletinPlan(**values) if {"name", "cron", "to"} <= values.keys() else None

    def _rising(self, numbers: Sequence[float], where: str, *, may_equal: bool = False) -> None:
        if any(first > second or (first == second and not may_equal) for first, second in pairwise(numbers)):
            self._reader.fault(where, "order", found=", ".join(f"{number:g}" for number in numbers))
