"""Text as Telegram reads it: HTML parse mode, entities in UTF-16 units, length after parsing."""

from __future__ import annotations

import re
from html import unescape

from tests.fakes.telegram_model import Json, bad_request

TEXT_CHARACTERS_MAX = 4096
CAPTION_CHARACTERS_MAX = 1024

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "tg-emoji": "custom_emoji",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_ENTITY = re.compile(r"&(?:#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|lt|gt|amp|quot);")
_ATTRIBUTE = re.compile(r"""\s*([^\s=>"'/]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>"']+))?""")
_FOUND = re.compile(r"(?P<url>https?://[^\s<>]+)|(?<![\w/])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@\w+)?)")


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units, the unit of entity offsets (bots/api#messageentity)."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def find_entities(text: str) -> list[Json]:
    """Return the commands and links Telegram marks by itself."""
    if "/" not in text:
        return []
    found: list[Json] = []
    for match in _FOUND.finditer(text):
        kind = match.lastgroup or "url"
        found.append(
            {
                "type": kind,
                "offset": utf16_length(text[: match.start()]),
                "length": utf16_length(match.group()),
            }
        )
    return found


def parse_html(source: str) -> tuple[str, list[Json]]:
    """Return the plain text and entities of HTML style, or refuse it (bots/api#html-style; td parse_html)."""
    parser = _HtmlParser(source)
    return parser.run()


class _HtmlParser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.plain: list[str] = []
        self.length = 0
        self.open: list[tuple[str, Json]] = []
        self.entities: list[Json] = []

    def run(self) -> tuple[str, list[Json]]:
        at = 0
        while at < len(self.source):
            less = self.source.find("<", at)
            end = len(self.source) if less < 0 else less
            self._put(_ENTITY.sub(lambda found: unescape(found.group()), self.source[at:end]))
            at = end if less < 0 else self._tag(less)
        if self.open:
            raise _cannot(f'Can\'t find end tag corresponding to start tag "{self.open[-1][0]}"')
        return "".join(self.plain), sorted(self.entities, key=lambda e: (e["offset"], -e["length"]))

    def _put(self, text: str) -> None:
        self.plain.append(text)
        self.length += utf16_length(text)

    def _tag(self, at: int) -> int:
        return self._end_tag(at) if self.source.startswith("</", at) else self._start_tag(at)

    def _offset(self, at: int) -> int:
        return len(self.source[:at].encode())

    def _start_tag(self, at: int) -> int:
        close = self.source.find(">", at)
        match = re.compile(r"[^\s>]*").match(self.source, at + 1)
        name = match.group().lower() if match else ""
        if close < 0 and (match is None or match.end() >= len(self.source)):
            raise _cannot(f"Unclosed start tag at byte offset {self._offset(at)}")
        if name not in _TAGS:
            raise _cannot(f'Unsupported start tag "{name}" at byte offset {self._offset(at)}')
        if close < 0:
            raise _cannot(f"Unclosed start tag at byte offset {self._offset(at)}")
        attributes = self._attributes(at + 1 + len(name), close)
        entity: Json = {"type": _TAGS[name], "offset": self.length}
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise _cannot(f'Tag "span" must have class "tg-spoiler" at byte offset {self._offset(at)}')
        if name == "a":
            entity["url"] = attributes.get("href", "")
        self.open.append((name, entity))
        return close + 1

    def _attributes(self, start: int, close: int) -> dict[str, str]:
        found = _ATTRIBUTE.finditer(self.source[start:close])
        return {m.group(1).lower(): unescape((m.group(2) or "").strip("\"'")) for m in found}

    def _end_tag(self, at: int) -> int:
        if not self.open:
            raise _cannot(f"Unexpected end tag at byte offset {self._offset(at)}")
        close = self.source.find(">", at)
        if close < 0:
            raise _cannot(f"Unclosed end tag at byte offset {self._offset(at)}")
        expected, entity = self.open[-1]
        found = self.source[at + 2 : close].strip().lower()
        if found and found != expected:
            raise _cannot(
                f"Unmatched end tag at byte offset {self._offset(at)}, "
                f'expected "</{expected}>", found "</{found}>"'
            )
        self.open.pop()
        entity["length"] = self.length - int(entity["offset"])
        if entity["length"] and entity.get("url") != "":
            self.entities.append(entity)
        return close + 1


def _cannot(reason: str) -> Exception:
    return bad_request(f"can't parse entities: {reason}")


def check_entities(text: str, entities: list[Json]) -> None:
    """Refuse entities that leave the text or cut a UTF-16 pair (td fix_entities)."""
    whole = utf16_length(text)
    edges = {0}
    length = 0
    for character in text:
        length += 2 if ord(character) > 0xFFFF else 1
        edges.add(length)
    for entity in entities:
        start, end = int(entity["offset"]), int(entity["offset"]) + int(entity["length"])
        head = f"entity beginning at UTF-16 offset {start}"
        if start < 0 or start > whole or end > whole:
            raise bad_request(f"{head} ends after the end of the text at UTF-16 offset {end}")
        if start not in edges or end not in edges:
            raise bad_request(f"{head} ends in a middle of a UTF-16 symbol")


def formatted(source: str, parse_mode: str, entities: list[Json] | None) -> tuple[str, list[Json]]:
    """Return the trimmed text and its entities as Telegram stores them.

    Only HTML and explicit entities are known: the product uses no Markdown, so the fake refuses it.
    """
    source = source.replace("\r", "").replace("\0", "")
    if parse_mode.lower() == "html":
        text, found = parse_html(source)
    elif parse_mode:
        raise bad_request("unsupported parse_mode")
    else:
        text, found = source, list(entities or [])
        if found:
            check_entities(text, found)
    return _trimmed(text, found)


def _trimmed(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    body = text.strip()
    if body == text:
        return text, entities + find_entities(text)
    lead = utf16_length(text[: len(text) - len(text.lstrip())])
    whole = utf16_length(body)
    kept: list[Json] = []
    for entity in entities:
        start = max(0, int(entity["offset"]) - lead)
        end = min(whole, int(entity["offset"]) + int(entity["length"]) - lead)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return body, kept + find_entities(body)
