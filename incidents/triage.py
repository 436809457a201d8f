"""Suggests a level: the highest indicator wins, unknown is not zero, the clause is shown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from incidents.casualties import is_known
from incidents.model import Casualties, Category, Severity
from incidents.numerals import FIGURE, fold, read_count
from incidents.tables.levels import (
    BELOW,
    REFERENCE_ONLY,
    RULE_SET_OF_CATEGORY,
    RULE_SET_OF_KIND,
    RULE_SETS,
    UNKNOWN_HARM,
    Indicator,
)
from incidents.tables.sensitive import WORDS

_ORDER = tuple(Severity)  # Worst first.
_PEOPLE = re.compile(
    rf"({FIGURE})\s*(?:多|余|来|几)?\s*(?:名|个|位)?(?:人|工人|业主|村民|群众|家长|学生|司机|员工)"
)


@dataclass(frozen=True)
class Assessment:
    """A suggested level, the indicator and clause behind it, and whether the event is 敏感."""

    severity: Severity
    potential: Severity | None  # 潜在级别: the level if the missing and trapped were dead, when it is worse.
    basis: str
    sensitive: bool = False
    why: tuple[str, ...] = ()  # Which sensitive place, people or subject.
    at: datetime | None = None


def assess(
    category: Category,
    kind: str,
    casualties: Casualties | None,
    text: str,
    at: datetime,
    *,
    sensitive_time: str = "",
) -> Assessment:
    """The level the tables suggest for what is known; `sensitive_time` names a holiday or great event."""
    indicators = indicators_of(category, kind)
    people = _people(text) if any(one.name == "people" for one in indicators) else None
    severity, basis = _highest(indicators, _values(casualties, people))
    if not basis:
        basis = BELOW if is_known(casualties) else UNKNOWN_HARM
    if category is Category.social:
        basis = f"{basis} ({REFERENCE_ONLY})"
    why = sensitive_words(text)
    if sensitive_time:
        why = (*why, sensitive_time)
    return Assessment(
        severity, _potential(indicators, casualties, people, severity), basis, bool(why), why, at
    )


def indicators_of(category: Category, kind: str) -> tuple[Indicator, ...]:
    """The thresholds that count for a kind, else for its class."""
    return RULE_SETS[RULE_SET_OF_KIND.get(kind) or RULE_SET_OF_CATEGORY[category]]


def worse(one: Severity, other: Severity) -> Severity:
    """The worse of two levels."""
    return min(one, other, key=_ORDER.index)


def sensitive_words(text: str) -> tuple[str, ...]:
    """Which sensitive places, people and subjects a text names."""
    line = fold(text)
    return tuple(name for name, words in WORDS.items() if words.search(line))


def _potential(
    indicators: tuple[Indicator, ...], known: Casualties | None, people: int | None, severity: Severity
) -> Severity | None:
    if known is None:
        return None
    in_danger = (known.missing or 0) + (known.trapped or 0)
    if not in_danger:
        return None
    feared = replace(known, deaths=(known.deaths or 0) + in_danger, missing=None)
    potential, _basis = _highest(indicators, _values(feared, people))
    return potential if potential is not severity and worse(potential, severity) is potential else None


def _values(known: Casualties | None, people: int | None) -> dict[str, float | None]:
    if known is None:
        return {"people": people}
    nobody = 0 if known.nobody else None
    deaths = known.deaths if known.deaths is not None else nobody
    serious = known.serious_injuries if known.serious_injuries is not None else nobody
    sick = known.injuries
    hurt = None if sick is None and serious is None else max(sick or 0, serious or 0)
    return {
        "deaths": deaths,
        "serious_injuries": serious,
        "hurt": hurt,
        "sick": sick,
        "sick_with_deaths": sick if deaths else None,
        "dead_or_missing": None
        if deaths is None and known.missing is None
        else (deaths or 0) + (known.missing or 0),
        "loss_yuan": known.loss_yuan,
        "people": people,
    }


def _highest(indicators: tuple[Indicator, ...], values: dict[str, float | None]) -> tuple[Severity, str]:
    """The worst level any indicator reaches, and the words that say which; "" when none reaches 较大."""
    best, basis = Severity.general, ""
    for indicator in indicators:
        value = values.get(indicator.name)
        if value is None:
            continue
        for severity, floor in _floors(indicator):
            if value >= floor and severity is not best and worse(severity, best) is severity:
                best, basis = severity, _say(indicator, value, floor)
                break
    return best, basis


def _floors(indicator: Indicator) -> Iterator[tuple[Severity, float]]:
    for severity, floor in zip(_ORDER, indicator.floors, strict=False):
        if floor is not None:
            yield severity, floor


def _say(indicator: Indicator, value: float, floor: float) -> str:
    return f"{indicator.label}{_amount(value)}{indicator.unit} (≥{_amount(floor)}) · {indicator.source}"


def _amount(value: float) -> str:
    for size, word in ((100_000_000, "亿"), (10_000, "万")):
        if value >= size:
            return f"{value / size:g}{word}"
    return f"{value:g}"


def _people(text: str) -> int | None:
    counts = [read_count(match.group(1)) for match in _PEOPLE.finditer(fold(text))]
    return max((one for one in counts if one is not None), default=None)
