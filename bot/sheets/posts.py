"""Which columns of a roster are posts, of which watch, and what the posts are called."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.sheets.dates import is_shift_word, split_shift
from bot.sheets.table import Table, header_key
from bot.sheets.text import key, plain
from roster.model import PostRule

KNOWN = {
    "duty_leader": ("duty_leader", "duty leader", "带班领导", "值班领导", "带班", "领导带班", "带班人"),
    "duty_officer": ("duty_officer", "duty officer", "值班员", "值班人员", "值班人", "值班", "值班干部"),
    "standby": ("standby", "备班", "备勤", "备班人员"),
}
POST_CHARS_MAX = 40
_NUMBERED = re.compile(r"[\d①-⑩一二三四五]+$")
_NO_POST = re.compile(
    r"^(序号|编号|no|#|id|农历|节假日|节日|日期类型|备注|说明|remarks?|notes?|星期|周|weekday|.*(电话|手机|号码|联系方式|签名|签字|签到|phone))$"
)


@dataclass(frozen=True)
class PostColumn:
    """A column of names: the post, and the watch when the header tells one."""

    column: int
    post: str
    shift: str = ""


class PostNames:
    """Posts by any of their names."""

    def __init__(self, rules: Iterable[PostRule]) -> None:
        self._keys = {key(word): post for post, words in KNOWN.items() for word in words}
        for rule in rules:
            self._keys |= {key(rule.key): rule.key, key(rule.name): rule.key}

    def post(self, text: str) -> str:
        """The post's key; a post nobody named before is called as it is written."""
        name = header_key(text)
        return self._keys.get(name) or self._keys.get(_NUMBERED.sub("", name)) or text.strip()

    def knows(self, text: str) -> bool:
        """Whether the text names a post of the office."""
        return self.post(text) in self._keys.values()


def wide_table(table: Table, names: PostNames) -> tuple[Table, list[PostColumn]]:
    """The table with its post columns, and where its rows begin below a header of one or two lines."""
    second = _second_line(table, names)
    taken = set(table.columns.values())
    tops = _tops(table)
    columns: list[PostColumn] = []
    headers = dict(table.headers)
    for column in sorted({*tops, *second} - taken):
        top, below = tops.get(column, ""), second.get(column, "")
        if _NO_POST.match(header_key(below or top)):
            continue
        if below:
            found = PostColumn(column, names.post(below), top if is_shift_word(top) else "")
            headers[column] = f"{top} {below}".strip()
        elif not top:
            continue
        elif is_shift_word(top):
            found = PostColumn(column, "duty_officer", top)
        else:
            shift, rest = split_shift(top)
            if len(rest) > 1 and (names.knows(rest) or not names.knows(top)):
                found = PostColumn(column, names.post(rest), shift)
            else:
                found = PostColumn(column, names.post(top))
        columns.append(found)
    placed = {f"column {one.column}": one.column for one in columns}
    body = table.header_row + (2 if second else 1)
    return replace(table, columns={**table.columns, **placed}, headers=headers, body_row=body), columns


def _second_line(table: Table, names: PostNames) -> Mapping[int, str]:
    """The header's second line, if the row below names posts and no day."""
    row = table.header_row + 1
    day = table.columns["date"]
    if row >= len(table.sheet.rows) or plain(table.sheet.value(row, day)):
        return {}
    texts = {
        column: text
        for column, value in enumerate(table.sheet.rows[row])
        if isinstance(value, str) and (text := plain(value))
    }
    found = [text for text in texts.values() if names.knows(text)]
    posts = [text for text in texts.values() if not _NO_POST.match(header_key(text))]
    return texts if found and len(found) * 2 >= len(posts) else {}


def _tops(table: Table) -> Mapping[int, str]:
    """The first line's text above each column: of a merged block, or of a watch that spans to the right."""
    row = table.header_row
    tops = dict(table.headers)
    for merge in table.sheet.merges:
        if merge.top <= row <= merge.bottom and merge.left in tops:
            for column in range(merge.left + 1, min(merge.right, len(_width(table)) - 1) + 1):
                tops.setdefault(column, tops[merge.left])
    carried = ""
    for column in _width(table):
        if column in tops:
            carried = tops[column] if is_shift_word(tops[column]) else ""
        elif carried and plain(table.sheet.value(row + 1, column)):
            tops[column] = carried
    return tops


def _width(table: Table) -> Sequence[int]:
    return range(max(len(row) for row in table.sheet.rows[table.header_row : table.header_row + 2]))
