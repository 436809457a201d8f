"""What people say to be polite, to greet or to try the line: it wakes nobody, and is answered in one short line."""

import unicodedata

from desk import reports
from desk.model import Inbound, Notice
from desk.ports import Desk
from handlers.flow import say
from handlers.reporting import told
from incidents import intake
from roster.model import Officer

_THANKS = frozenset(
    "好 好的 好滴 好嘞 好吧 谢谢 谢谢您 谢谢你 多谢 感谢 知道了 知道 明白 明白了 了解 "
    "收到 已收到 嗯 嗯嗯 哦 噢 行 可以 对 是 是的 "
    "辛苦 辛苦了 您辛苦了 不客气 再见 拜拜 ok okay thanks thankyou bye".split()
)
_GREETINGS = frozenset(
    "你好 您好 大家好 哈喽 哈罗 嗨 喂 在吗 在不在 有人吗 早 早上好 "
    "上午好 中午好 下午好 晚上好 晚安 测试 测试一下 测试消息 试一下 试试 "
    "test testing hello hi hey".split()
)
_ALARMS = frozenset("🆘🔥🚨🚒🚑")  # Signs that are asked about, never smiled at.
_WORD_MAX = max(map(len, _THANKS | _GREETINGS))


def says_nothing(message: Inbound) -> bool:
    """Whether a message holds nothing but courtesies, greetings, signs or a sticker."""
    if message.files or message.place is not None:
        return False
    return message.kind == "other" or bool(_sort(message.text))


async def hear(desk: Desk, message: Inbound, officer: Officer) -> None:
    """What is still missing is asked again; else thanks get a word, and a greeting gets what one can say."""
    draft = await reports.open_draft(desk, officer)
    if draft is not None:
        await told(desk, message, officer, reports.Taken(draft=draft, missing=intake.missing(draft)))
    elif message.kind != "other" and _sort(message.text) == "thanks":
        say(desk, message, officer, Notice("courtesy", {}))
    else:
        say(desk, message, officer, Notice("help", {"role": officer.role.value, "name": officer.name}))


def _sort(text: str) -> str:
    """ "thanks" or "greeting" when a text is nothing else, or "" when it may say something."""
    if not text.strip() or not _ALARMS.isdisjoint(text):
        return ""
    folded = unicodedata.normalize("NFKC", text).lower()
    bare = "".join(one for one in folded if unicodedata.category(one)[0] in "LN")
    if not bare:
        return "greeting"
    words = _cut_up(bare)
    if not words:
        return ""
    return "thanks" if words <= _THANKS else "greeting"


def _cut_up(bare: str) -> set[str]:
    """The courtesies and greetings a text is made of, the longest first; empty when anything else is in it."""
    words: set[str] = set()
    while bare:
        found = next(
            (bare[:size] for size in range(_WORD_MAX, 0, -1) if bare[:size] in _THANKS | _GREETINGS), ""
        )
        if not found or len(words) > _WORD_MAX:
            return set()
        words.add(found)
        bare = bare[len(found) :]
    return words
