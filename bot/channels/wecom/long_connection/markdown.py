"""Words for a markdown bubble: what people wrote is shown as they wrote it, and never becomes a heading or a link."""

import re

# A mark that would begin markup is written with its wide twin, which reads the same and means nothing.
_WIDE = str.maketrans("*`[]<~|", "＊｀［］＜～｜")
_LINE_STARTS = str.maketrans("#>=", "＃＞＝")
_LINK = re.compile(r"(https?://[^\s<>\"'）】，。；]+)")
_LOOSE_UNDERSCORE = re.compile(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_RULE = re.compile(r"[-_]{3,}\s*$")


def plain(text: str) -> str:
    """The text without any markup; addresses of pages stay what they are."""
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    if _RULE.match(line.strip()):
        return line.replace("-", "－").replace("_", "＿")
    parts = _LINK.split(line)
    parts[::2] = [_LOOSE_UNDERSCORE.sub("＿", part.translate(_WIDE)) for part in parts[::2]]
    whole = "".join(parts)
    lead = len(whole) - len(whole.lstrip())
    return whole[:lead] + whole[lead : lead + 1].translate(_LINE_STARTS) + whole[lead + 1 :]
