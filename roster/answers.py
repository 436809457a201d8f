"""Reads a chat line as an answer to the roll call: 到, 请假, 口令码, 有情况, or no answer at all."""

import re
import unicodedata
from dataclasses import dataclass

PASSCODE_DIGITS = 4
ANSWER_MAX = 200  # Characters: whoever writes more tells more than an answer.

_HERE = (
    r"(?:报告)?(?:我们?|本人|(?:带班|值班)?领导|值班人?员|[和及与])*(?:都|均|全员|全部|人员)?(?:已经|已)?(?:正在|正)?(?:值班)?"
    r"(?:到[岗崗位]?|在[岗崗位]?|在[岗崗]在位|到[岗崗]到位|收到)(?:了|啦|呢|的)?"
    r"(?:请放心|一切正常|无异常|正常|谢谢)?"
)
_PRESENT = re.compile(rf"(?:1|(?:{_HERE}){{1,2}}|present|here)", re.IGNORECASE)
_CODE = re.compile(r"(?:口令码?|密码|验证码)?(?:是|为)?(\d{4})")
_WITH_CODE = re.compile(rf"(?:{_HERE})(?:口令码?)?(?:是|为)?(\d{{4}})|(\d{{4}})(?:{_HERE})")
_EXCUSE = re.compile(
    r"(?:报告)?(?:我|本人)?(?:今天|今晚|现在)?(?:要|想|需要|需|申请)?(?:请个?假|免点)(?!的)(.*)", re.DOTALL
)
_EXCUSE_LAST = re.compile(r"(.{1,20}?)[,，。;； ]*(?:申请|需要|要|想)?(?:请个?假|免点)", re.DOTALL)
_TROUBLE = re.compile(
    r"(?:报告)?(?:这里|这边|我这里|我这边|现场)?(?:有|发生|出现)(?:突发|紧急)?情况(.*)", re.DOTALL
)
_EDGES = " \t\r\n,，.。!！?？;；:：、~～-—_…·'\"“”‘’()（）[]【】<>《》「」『』*#/\\|+="


@dataclass(frozen=True)
class Reading:
    """What a line says to the roll call; `kind` is None for a plain sentence, which is never an answer."""

    kind: str | None = None  # present, excused, incident or passcode
    passcode: str = ""
    reason: str = ""  # Why excused, or what the 情况 is.


def reads_as_answer(text: str) -> Reading:
    """What a line answers, tolerant of full-width digits, punctuation, spaces and emoji around the words.

    The whole line must be the answer: "到处都是水" and "1号楼着火了" are reports."""
    line = _plain(text) if len(text) <= 4 * ANSWER_MAX else ""
    bare = line.translate(_REMOVED)
    if not bare or len(line) > ANSWER_MAX:
        return Reading()
    if _PRESENT.fullmatch(bare):
        return Reading("present")
    if code := _CODE.fullmatch(bare):
        return Reading("passcode", passcode=code.group(1))
    if both := _WITH_CODE.fullmatch(bare):
        return Reading("present", passcode=both.group(1) or both.group(2))
    return _excuse(line) or _trouble(line) or Reading()


def _excuse(line: str) -> Reading | None:
    if first := _EXCUSE.fullmatch(line):
        return Reading("excused", reason=_reason(first.group(1)))
    if last := _EXCUSE_LAST.fullmatch(line):
        return Reading("excused", reason=_reason(last.group(1)))
    return None


def _trouble(line: str) -> Reading | None:
    found = _TROUBLE.fullmatch(line)
    return Reading("incident", reason=found.group(1).strip(_EDGES)) if found else None


def _reason(text: str) -> str:
    return text.strip(_EDGES).removeprefix("原因").removeprefix("理由").strip(_EDGES)


def _plain(text: str) -> str:
    """The line with full-width signs folded, and emoji and invisible characters taken out, edges bare."""
    folded = unicodedata.normalize("NFKC", text)
    kept = [" " if one.isspace() else one for one in folded if one.isspace() or _is_word(one)]
    return "".join(kept).strip(_EDGES)


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPZ"


_REMOVED = {ord(one): None for one in _EDGES}
