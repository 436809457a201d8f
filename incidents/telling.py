"""Judges whether words tell of an event, in one place: a report of danger is never taken for anything else."""

import re
from dataclasses import dataclass

from incidents.casualties import maybe_trapped, read_casualties
from incidents.kinds import read_kind
from incidents.numerals import fold
from incidents.places import place_words, stated_place

_CRIES = re.compile(
    r"救命|救救|求救|呼救|快来|快点来|快派|速来|速派|请派|赶[快紧](?:来|派)|火速|告急|急需|顶不住|撑不住|出人命|出大事|出事了|"
    r"不好了|(?:请求?|需要|求)(?:市里|上级|紧急)?(?:支援|增援|救援|派人|派车)|(?<![A-Za-z0-9/])(?:help|sos)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
# What goes on again or grew, said where an end might have been expected.
_AGAIN = re.compile(
    r"复燃|又[^,，。;；!！]{0,4}(?:起|着|烧|爆|炸|塌|涨|漏|滑|倒|裂|发生|出现|有人)|再次(?:起|发生|爆|塌|坍|滑|泄)|"
    r"(?:还|仍|仍然|尚)有[^,，。;；!！]{0,4}人(?!员?(?:值守|留守|看守))|另有[^,，。;；!！]{0,6}(?:人|处|起)|新(?:的)?(?:情况|险情)|"
    r"蔓延|扩大|失控|加重|恶化|越来越"
)
_HAPPENS = re.compile(
    r"塌|倒了|倒下|倒在|断了|断裂|裂开|开裂|漏|爆|炸|烧起|烧着|燃烧|冒烟|冒水|淹|水浸|漫|涨水|撞|翻了|侧翻|坠|掉下|掉进|"
    r"滑下|被困|困住|晕倒|死了|受伤|在喊|打起来|堵死|着火|起火"
)
_ENDS = re.compile(
    r"扑灭|熄灭|灭了|处[置理](?:完|好|了|妥|结束)?|送医|送往医院|送院|排除|恢复|控制|疏散|疏通|清理|清除|清障|救出|获救|"
    r"脱险|脱困|转移|修复|修好|抢通|解决|制止|劝离|劝散|撤离|移交|离开|离场|离去|散去|结束|完毕|完成|误报|误会|虚惊|"
    r"不属实|查无|核实[为是]|经核|实为|原来是|正常|消退|退去|已退|退了|平息|和解|协商|通车|解除|关闭|堵住|无恙|找到|寻回|没事"
)
# An end that is denied, asked for or under way is none.
_NOT_YET = re.compile(
    r"(?:未|没|没有|无法|不能|难以|失去|请求?|急需|需要?|正在?|等待|马上|尽快|准备|还在|组织)(?:能|被|得到|受到|有效|完全|全部|紧急|及时)?$"
)
_FREED = re.compile(r"救出|获救|脱险|脱困|找到|寻回|已救|全部(?:出来|撤出|上岸)")


@dataclass(frozen=True)
class Telling:
    """What words say of an event."""

    is_event: bool = (
        False  # A kind of event, people harmed, a cry for help, or a place where something happens.
    )
    is_over: bool = False  # They say that it has ended.
    is_alarm: bool = False  # A cry for help, people trapped or missing, or that it goes on or came back.
    is_harm: bool = False  # People harmed, in figures above zero.
    has_place: bool = False

    @property
    def goes_on(self) -> bool:
        """Danger now: an alarm, or harm or a place beside the event, and not a word of an end."""
        return self.is_event and not self.is_over and (self.is_alarm or self.is_harm or self.has_place)


def read_telling(text: str) -> Telling:
    """What a text tells of an event, however it begins."""
    line = fold(text)
    if not line.strip():
        return Telling()
    harm = read_casualties(line)
    in_danger = (harm.trapped or 0) + (harm.missing or 0) > 0 or maybe_trapped(line)
    figures = (harm.deaths, harm.missing, harm.trapped, harm.serious_injuries, harm.injuries)
    is_harm = any(figures)
    cries, has_place = bool(_CRIES.search(line)), bool(place_words(line))
    again = bool(_AGAIN.search(line))
    is_kind = bool(read_kind(line)[1])
    happens = bool(_HAPPENS.search(line))
    return Telling(
        is_event=is_kind or is_harm or in_danger or cries or (happens and (has_place or again)),
        is_over=any(not _NOT_YET.search(line[: one.start()][-8:]) for one in _ENDS.finditer(line)),
        is_alarm=cries or again or (in_danger and not _FREED.search(line)),
        is_harm=is_harm,
        has_place=has_place,
    )


def outcome_fault(text: str, *, is_named: bool, is_answer: bool = False, is_unfounded: bool = False) -> str:
    """Why words meant to end an incident may not simply end it: "" if they may, "another" if they tell danger
    elsewhere and nobody named the incident, "doubt" if only the sender can say."""
    told = read_telling(text)
    if is_named:
        denied = is_unfounded and told.is_harm and not told.is_over
        return "doubt" if told.is_alarm or denied or (is_answer and told.goes_on) else ""
    if told.goes_on:
        return "another"
    return "doubt" if told.is_alarm or (is_answer and told.is_event and not told.is_over) else ""


def tells_of_event(text: str) -> bool:
    """Whether words tell of an event: then they are a report, whatever was asked before."""
    return read_telling(text).is_event


def corrected_place(text: str) -> str:
    """The place that words said later put right, or "" when they tell of an event beside it: that may be another."""
    words = stated_place(text)
    return words if words and not tells_of_event(text.replace(words, "", 1)) else ""
