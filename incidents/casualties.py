"""Reads people harmed and the loss out of a sentence; what is not said stays 不详, which is not zero."""

import re
from dataclasses import dataclass

from incidents.model import Casualties
from incidents.numerals import FIGURE, fold, read_count, read_figure

# A word that says what became of people, by the figure it counts; the first that matches wins.
STATES = (
    (
        "deaths",
        r"死亡|身亡|遇难|丧生|罹难|溺亡|殒命|牺牲|离世|死者|遗体|尸体|去世|死(?![鱼鸡猪鸭鼠机角循火守牛羊禽畜树伤])",
    ),
    ("missing", r"失踪|失联|下落不明|走失"),
    ("trapped", r"被困|受困|围困|困在|困了|困住|没出来|未出来|没有出来|没逃出来|出不来|被埋|被压"),
    ("serious_injuries", r"重伤|伤势严重|伤势较重|病危|危重|生命垂危|昏迷"),
    (
        "injuries",
        r"轻伤|受伤|烧伤|烫伤|摔伤|砸伤|压伤|撞伤|刺伤|砍伤|骨折|伤者|伤员|挂彩|伤(?![亡害心势])|"
        r"中毒|呕吐|腹泻|肚子[痛疼]|不适|发烧|发热|手足口|感染|确诊|病例|发病|送医|送院|住院",
    ),
)
CLAUSE_MAX = 600  # Characters of a sentence without any stop that are searched.
REACH = 12  # Characters between a figure and its word.
DOUBTFUL = re.compile(r"不详|不明(?!原因)|不清楚|待核|待查|是否|有没有|有无|不知道|未知|不确定|核实中|还不清")
NOBODY = re.compile(
    r"(?:无|没有?|未(?:造成|发生|发现|接报|有)|暂无|尚无|没造成|没有造成|尚未发现|暂未发现)(?:任何|造成|发现|出现|接到)?有?"
    r"(?:人员|人|任何人)?(?:的)?(?:伤亡|受伤|伤害)|伤亡(?:情况|人数)?[:：为是]*(?:无|没有|0|零)|[0零](?:人员)?伤亡|"
    r"(?:人员?|大家|群众|工人|学生)(?:都|均|全部|也都)?(?:很|都)?(?:安全(?!事故|员|隐患)|平安|没事|无恙|无碍)"
)
NONE_OF = re.compile(r"(?:无|没有?|未(?:造成|发现)?|暂无|尚无|尚未发现)(?:任何)?(?:人员|人)?(?:被)?$")
CARRIED = re.compile(r"^(?:均|都|全部|全都)")
COUNTED = re.compile(
    rf"(?P<figure>{FIGURE})\s*(?:多|余|来|几)?\s*(?P<unit>名|个|位|人|口|具)?(?!\s*(?:月|小时|钟头|星期))"
)
FILLER = re.compile(
    r"人数|人员|上升|增加|增至|至少|目前|已|有|约|近|超过|达到?|共计?|了|的|为|是|到|至|[:：\s]"
)
LOSS = re.compile(
    rf"损失(?:初步)?(?:估计|估算|预计)?(?:人民币)?(?:约|近|超过?|达到?|为|是|共计?|有|[:：\s])*"
    rf"(?P<after>{FIGURE})\s*(?:多|余)?\s*(?P<more>[万亿千百]*)\s*(?:多|余)?\s*元?"
    rf"|(?P<before>{FIGURE})\s*(?:多|余)?\s*(?P<more_before>[万亿]*)\s*元?(?:人民币)?的?(?:直接)?(?:经济|财产)?损失"
)
# People who may be shut in somewhere, said without a figure.
_CALLS = (
    r"(?:喊|叫救|呼救|求救|敲|拍门|拍窗|哭|"
    r"被困|受困|困在|困住|没出来|没有出来|出不来|下不来|下不去|没逃出|被埋|被压)"
)
MAYBE_TRAPPED = re.compile(
    rf"(?:有|听[到见])[^,，。;；!！?？、\n]{{0,3}}人[^,，。;；!！?？\n]{{0,10}}{_CALLS}|救命|(?:里面|屋里|楼上|车里|水里|井下)(?:还|好像|可能|似乎)?有[^,，。;；]{{0,2}}人"
    r"|有[^,，。;；!！?？、\n]{0,3}人[^,，。;；!！?？\n]{0,4}(?:在|还在)(?:里面|屋里|楼上|车里|水里|井下)"
    r"|(?:人|人员|群众|居民|村民|老人|小孩|孩子|学生|工人|乘客|司机)[^,，。;；!！?？、\n]{0,4}"
    r"(?:下不来|出不来|上不来|逃不出|跑不出|困住了|被困|被埋|被压)"
)
NOBODY_BEFORE = re.compile(r"(?:没|没有|无|未|(?:没有?|未)(?:发现|见到?|听说))(?:有|任何|一个|其他|其它)?$")
CLAUSES = re.compile(r"[,，。.;；!！?？、\n]+(?!\d)|(?<!\d)[,，]")
SCALE = {"百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}


@dataclass
class _Token:
    at: int
    end: int
    count: int | None = None  # Of people; None for a word.
    state: str = ""
    is_used: bool = False


def read_casualties(text: str) -> Casualties:
    """The figures a text states; `nobody` when it says 无 and gives no figure above zero.

    Of two figures for one thing the higher counts, since reports are added to."""
    line = fold(text)
    counts: dict[str, int] = {}
    is_nobody = False
    carried: int | None = None
    for clause in CLAUSES.split(line):
        clause = clause.strip()[:CLAUSE_MAX]
        if not clause or DOUBTFUL.search(clause):
            carried = None
            continue
        if clause in ("无", "没有", "无伤亡") or NOBODY.search(clause):
            is_nobody = True
        carried = _read_clause(clause, carried, counts)
    loss = _read_loss(line)
    if any(counts.values()):
        is_nobody = False
    return Casualties(**counts, loss_yuan=loss, nobody=is_nobody)


def merge_casualties(old: Casualties | None, new: Casualties | None) -> Casualties | None:
    """Newer figures win where they are known; 不详 never erases a figure."""
    if old is None or new is None:
        return new or old
    names = ("deaths", "missing", "trapped", "serious_injuries", "injuries", "loss_yuan")
    known = {name: getattr(new, name) for name in names if getattr(new, name) is not None}
    kept = {name: known.get(name, getattr(old, name)) for name in names}
    people = [value for name, value in kept.items() if name != "loss_yuan" and value]
    return Casualties(**kept, nobody=(new.nobody or old.nobody) and not people)


def is_nobody(casualties: Casualties | None) -> bool:
    """Whether 无 is all that is known: it is said as a word, for it gives no figure of the missing or the trapped."""
    return (
        casualties is not None
        and casualties.nobody
        and not any(
            getattr(casualties, name) is not None
            for name in ("deaths", "missing", "trapped", "serious_injuries", "injuries")
        )
    )


def is_known(casualties: Casualties | None) -> bool:
    """Whether anything at all is known of people harmed."""
    return casualties is not None and casualties != Casualties(loss_yuan=casualties.loss_yuan)


def maybe_trapped(text: str) -> bool:
    """Whether a text hints that people are shut in somewhere without saying how many."""
    line = fold(text)
    return any(not NOBODY_BEFORE.search(line[: found.start()][-6:]) for found in MAYBE_TRAPPED.finditer(line))


def _read_clause(clause: str, carried: int | None, counts: dict[str, int]) -> int | None:
    """Pair each figure of a clause with the word beside it; returns a figure that found none."""
    tokens = _tokens(clause)
    for token in tokens:
        if token.state and NONE_OF.search(clause[: token.at]):
            _note(counts, token.state, 0)
            token.is_used = True
    if carried is not None and CARRIED.match(clause):
        word = next((token for token in tokens if token.state and not token.is_used), None)
        if word is not None:
            _note(counts, word.state, carried)
            word.is_used = True
    left: int | None = None
    words_first = next((bool(token.state) for token in tokens), False)
    for number, token in enumerate(tokens):
        if token.count is None:
            continue
        word = _partner(clause, tokens, number, words_first)
        if word is None:
            left = token.count
        else:
            word.is_used = True
            _note(counts, word.state, token.count)
    return left


def _partner(clause: str, tokens: list[_Token], number: int, words_first: bool) -> _Token | None:
    token = tokens[number]
    before = tokens[number - 1] if number else None
    after = tokens[number + 1] if number + 1 < len(tokens) else None
    found: list[tuple[int, bool, _Token]] = []
    if before is not None and before.state and not before.is_used:
        gap = len(FILLER.sub("", clause[before.end : token.at]))
        found.append((gap, not words_first, before))
    if after is not None and after.state and not after.is_used:
        gap = len(FILLER.sub("", clause[token.end : after.at]))
        found.append((gap, words_first, after))
    near = [one for one in found if one[0] <= REACH]
    return min(near, key=lambda one: one[:2])[2] if near else None


def _tokens(clause: str) -> list[_Token]:
    words: list[_Token] = []
    for state, pattern in STATES:
        for match in re.finditer(pattern, clause):
            if all(match.end() <= one.at or one.end <= match.start() for one in words):
                words.append(_Token(match.start(), match.end(), state=state))
    found = list(words)
    for match in COUNTED.finditer(clause):
        count = read_count(match["figure"])
        touches = any(one.at == match.end() or one.end == match.start() for one in words)
        is_inside = any(one.at < match.end() and match.start() < one.end for one in words)
        if count is None or is_inside or not (match["unit"] or touches or _ends_pair(clause, match, words)):
            continue
        found.append(_Token(match.start(), match.end(), count=count))
    return sorted(found, key=lambda one: one.at)


def _ends_pair(clause: str, match: re.Match[str], words: list[_Token]) -> bool:
    """A bare figure at a clause's end counts when only filler parts it from its word (死亡人数: 2)."""
    last = max((one.end for one in words if one.end <= match.start()), default=-1)
    return last >= 0 and match.end() == len(clause) and not FILLER.sub("", clause[last : match.start()])


def _note(counts: dict[str, int], state: str, count: int) -> None:
    counts[state] = max(counts.get(state, 0), count)


def _read_loss(line: str) -> float | None:
    values: list[float] = []
    for match in LOSS.finditer(line):
        value = read_figure(match["after"] or match["before"])
        if value is None:
            continue
        for unit in match["more"] or match["more_before"] or "":
            value *= SCALE[unit]
        values.append(value)
    return max(values, default=None)
