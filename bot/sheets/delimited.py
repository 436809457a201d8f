"""Reads a .csv into one sheet, whatever Excel, WPS or a phone saved it as."""

import codecs
import csv
import io

from bot.sheets.archive import refuse
from bot.sheets.sheet import LIMITS, Book, Sheet

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = ",\t;"


def read_delimited(data: bytes, name: str) -> Book:
    """The file as one sheet; Faulty when its text cannot be read."""
    text = decode(data)
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
        delimiter, text = first.strip()[4], rest
    else:
        delimiter = _delimiter(text)
    rows: list[tuple[str | None, ...]] = []
    csv.field_size_limit(LIMITS.file_bytes_max)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            rows.append(tuple(value or None for value in row))
            if len(rows) > LIMITS.rows_max:
                refuse("too_many_rows", name, most=LIMITS.rows_max)
            if len(row) > LIMITS.columns_max:
                refuse("too_many_columns", name, most=LIMITS.columns_max)
    except csv.Error:
        refuse("quotes", name, row=len(rows) + 1)
    return Book((Sheet(name, tuple(rows)),))


def decode(data: bytes) -> str:
    """Text from UTF-8, UTF-16 or GB18030 (which holds GBK); Faulty when it is none of them."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding) or refuse("encoding")
    if wide := _wide(data[:4096]):
        return _decoded(data, wide) or refuse("encoding")
    if not data.isascii():
        text = _decoded(data, "utf-8") or _decoded(data, "gb18030")
        return text or refuse("encoding")
    return data.decode("ascii")


def _wide(head: bytes) -> str:
    """UTF-16 without its mark: only its ASCII holds zeros, and all of them in one half of each pair."""
    first, second = head[::2].count(0), head[1::2].count(0)
    if min(first, second) or max(first, second) < max(2, len(head) // 100):
        return ""
    return "utf-16-le" if second else "utf-16-be"


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _delimiter(text: str) -> str:
    """The delimiter that the first lines agree on most; a comma when there is none."""
    head = text[:4096].splitlines()[:20]
    return max(_DELIMITERS, key=lambda mark: sum(mark in line for line in head))
