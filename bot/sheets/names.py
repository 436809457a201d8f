"""Finds the officers that a roster's cell names: several in one cell, titles glued on, two people of one name."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rapidfuzz import fuzz, process

from bot.sheets.text import disguised, key, person
from desk.registry import digits
from roster.model import Officer, Unit

NAMES_PER_CELL_MAX = 30
SUGGESTIONS = 3
LIKENESS = 50  # Of 100: one wrong character in two.
NOBODY = ("无", "-", "--", "—", "——", "/", "空", "空缺", "待定", "暂缺", "none", "n/a")
_SEPARATORS = re.compile(r"[、,，;；/\n|]+")
_ASIDE = re.compile(r"[(（]([^()（）]*)[)）]")
_PHONE = re.compile(r"(?:\+?86[ -]?)?(?<!\d)1[3-9]\d(?:[ -]?\d){8}(?!\d)")
_TOKEN = re.compile(
    rf"(?P<phone>{_PHONE.pattern})|(?P<aside>{_ASIDE.pattern})|(?P<text>(?:(?!{_PHONE.pattern})[^()（）])+|.)"
)
_WHOLLY_ASIDE = re.compile(r"^[(（]([^()（）]*)[)）]$")
_STRAY = " :：。."
_TITLE = re.compile(
    r"^(?:党工委|党组|党委|党支部|办公室|应急办|总值班室|常务|街道|支部|总|镇|区|市|办|副|正|第一|[一二三四]级)*"
    r"(?:主任科员|主任|书记|镇长|区长|市长|局长|科长|股长|站长|所长|队长|主席|部长|委员|组长|处长|院长|校长|班长|调研员|"
    r"助理|科员|干事|干部|同志|值班员|领导|秘书长|秘书|常委|指挥长|政委|参谋|办事员|专员|中队长|大队长)$"
)


@dataclass(frozen=True)
class NotFound:
    """A name that means nobody, or too many; for the words."""

    kind: str
    facts: Mapping[str, object]


@dataclass(frozen=True)
class _Mention:
    """One name as written, with what stands beside it."""

    text: str
    phone: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class People:
    """Everybody a roster may name."""

    officers: Sequence[Officer]
    units: Mapping[str, Unit]  # By id.
    _by_name: dict[str, list[Officer]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.officers:
            self._by_name.setdefault(person(one.name), []).append(one)

    def named(self, cell: str, unit: Unit | None) -> Iterator[Officer | NotFound]:
        """Whom a cell names, in its order; `unit` is whose roster it is, None when the officers' units decide."""
        if key(cell) in NOBODY:
            return
        for count, mention in enumerate(self._mentions(cell)):
            if count >= NAMES_PER_CELL_MAX:
                yield NotFound("too_many_names", {"most": NAMES_PER_CELL_MAX})
                return
            yield self._officer(mention, unit)

    def _mentions(self, cell: str) -> Iterator[_Mention]:
        """Everything the cell says, name by name; what stands beside no name is a name nobody has."""
        for piece in _SEPARATORS.split(_close(cell)):
            found: list[_Mention] = []
            for token in _TOKEN.finditer(_WHOLLY_ASIDE.sub(r"\1", piece.strip())):
                text = " ".join(token[0].split()).strip(_STRAY)
                last = found[-1] if found else None
                if token["text"]:
                    found += [_Mention(name) for name in self._names(text)]
                elif last is None:
                    found += [] if _TITLE.match(key(text.strip("()（）"))) else [_Mention(text)]
                else:
                    found[-1] = _with(last, text)
            yield from found

    def _names(self, text: str) -> list[str]:
        return [text] if self._find(text) else list(self._parts(text.split()))

    def _parts(self, words: Sequence[str]) -> Iterator[str]:
        """Names out of words set apart by spaces, which may be padding (张 三), or part a title (张三 主任)."""
        at = 0
        while at < len(words):
            for end in range(min(len(words), at + 4), at, -1):
                joined = "".join(words[at:end])
                if end == at + 1 or self._find(joined) or self._find(" ".join(words[at:end])):
                    break
            if not (at and _TITLE.match(joined) and not self._find(joined)):
                yield joined
            at = end

    def _find(self, text: str) -> list[Officer]:
        """Who has this name, alone or with a title before or after it; the longest name wins."""
        name = person(text)
        exact = self._by_name.get(name)
        if exact:
            return exact
        for cut in range(len(name) - 1, 1, -1):
            found = self._by_name.get(name[:cut], [])
            if found and _is_title(name[cut:], found):
                return found
        for cut in range(1, len(name) - 1):
            found = self._by_name.get(name[cut:], [])
            if found and _is_title(name[:cut], found):
                return found
        return []

    def _officer(self, mention: _Mention, unit: Unit | None) -> Officer | NotFound:
        name = mention.text
        if disguised(name):
            return NotFound("disguised_name", {"name": name})
        found = self._find(name)
        if not found:
            return NotFound("unknown_officer", {"name": name, "like": self._like(name)})
        active = [one for one in found if one.active]
        if not active:
            return NotFound("officer_inactive", {"name": name})
        chosen = active
        for note in mention.notes:
            of_note = [one for one in active if _fits(note, one, self.units)]
            if not of_note and not _TITLE.match(key(note)):
                return NotFound("unread_note", {"name": name, "note": note})
            chosen = [one for one in chosen if one in of_note] or chosen
        if mention.phone:
            chosen = [one for one in active if digits(one.phone) == mention.phone]
            if not chosen:
                return NotFound("other_phone", {"name": name, "phone": mention.phone})
        return self._one(name, chosen, unit, is_sure=bool(mention.phone) or len(chosen) < len(active))

    def _one(
        self, name: str, chosen: list[Officer], unit: Unit | None, *, is_sure: bool
    ) -> Officer | NotFound:
        own = [one for one in chosen if unit is not None and self._belongs(one, unit)]
        nearest = [one for one in own if unit is not None and one.unit_id == unit.id] or own
        choice = nearest or chosen
        if len(choice) > 1:
            return NotFound("which_officer", {"name": name, "of": [self._said(one) for one in choice]})
        if unit is not None and not own and not is_sure:
            return NotFound(
                "officer_of_other_unit", {"name": name, "unit": unit.name, "of": self._said(choice[0])}
            )
        return choice[0]

    def _belongs(self, officer: Officer, unit: Unit) -> bool:
        """Whether the officer is of this unit or of one below it."""
        at: str | None = officer.unit_id
        for _ in range(10):
            if at is None or at == unit.id:
                break
            above = self.units.get(at)
            at = above.parent_id if above else None
        return at == unit.id

    def _said(self, officer: Officer) -> str:
        unit = self.units.get(officer.unit_id)
        details = [
            unit.name if unit else "",
            officer.title,
            f"…{officer.phone[-4:]}" if officer.phone else "",
        ]
        return f"{officer.name}({' '.join(one for one in details if one)})"

    def _like(self, name: str) -> list[str]:
        near = process.extract(
            person(name), list(self._by_name), scorer=fuzz.ratio, limit=SUGGESTIONS, score_cutoff=LIKENESS
        )
        return [found for found, _, _ in near]


def _with(mention: _Mention, beside: str) -> _Mention:
    """The name with a number or a bracket that stands behind it."""
    phone = _PHONE.search(beside)
    note = _PHONE.sub("", beside).strip("()（） ")
    return replace(
        mention,
        phone=digits(phone[0])[-11:] if phone else mention.phone,
        notes=(*mention.notes, note) if note else mention.notes,
    )


def _close(cell: str) -> str:
    """One width for brackets and digits, so that the patterns need not know two."""
    return "".join(
        unicodedata.normalize("NFKC", one) if one.isdigit() or one in "＋－　" else one for one in cell
    )


def _is_title(text: str, officers: Iterable[Officer]) -> bool:
    return bool(_TITLE.match(text)) or any(one.title and person(one.title).endswith(text) for one in officers)


def _fits(note: str, officer: Officer, units: Mapping[str, Unit]) -> bool:
    """Whether what stands in brackets tells this officer's unit, title or the end of the number."""
    unit = units.get(officer.unit_id)
    plain = key(note)
    return bool(
        (unit and plain and plain in key(unit.name))
        or (officer.title and key(officer.title) == plain)
        or (len(digits(note)) >= 4 and digits(note) == plain and digits(officer.phone).endswith(plain))
    )
