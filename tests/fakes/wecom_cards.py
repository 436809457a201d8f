"""What a message must look like before WeCom takes it: fields, bytes, cards (the vendor's message page)."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.wecom_limits import Limits
from tests.fakes.wecom_model import ApiError, Json, bad_parameter

CARD_TYPES = frozenset(
    {"text_notice", "news_notice", "button_interaction", "vote_interaction", "multiple_interaction"}
)
ANSWERED_TYPES = frozenset({"button_interaction", "vote_interaction", "multiple_interaction"})
_TASK_ID = re.compile(r"[0-9a-zA-Z_\-@]+")


def cut_bytes(text: str, most: int) -> str:
    """Return what fits, never half a character."""
    return text.encode()[:most].decode("utf-8", "ignore")


def accepted(kind: str, body: Json, limits: Limits) -> Json:
    """Return the content as phones will show it, or refuse it."""
    content = body.get(kind)
    if not isinstance(content, dict):
        raise ApiError(40008, f"invalid message type: no object {kind!r}")
    match kind:
        case "text":
            return {"content": cut_bytes(_words(content, "content"), limits.text_bytes_max)}
        case "markdown":
            return {"content": _bounded(content, "content", limits.markdown_bytes_max)}
        case "textcard":
            return _textcard(content, limits)
        case "news":
            return _news(content, limits)
        case "image" | "voice" | "video" | "file":
            return {"media_id": _words(content, "media_id")}
        case "template_card":
            check_card(content, limits)
            return dict(content)
    raise ApiError(40008, "invalid message type")


def _words(content: Json, name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ApiError(44004, f"empty content: {name}")
    return value


def _bounded(content: Json, name: str, most: int) -> str:
    value = _words(content, name)
    if len(value.encode()) > most:
        raise ApiError(45002, f"content size out of limit: {name}")
    return value


def _textcard(content: Json, limits: Limits) -> Json:
    url = _bounded(content, "url", limits.url_bytes_max)
    return {
        "title": cut_bytes(_words(content, "title"), limits.title_bytes_max),
        "description": cut_bytes(_words(content, "description"), limits.description_bytes_max),
        "url": url,
        "btntxt": str(content.get("btntxt") or "详情")[:4],
    }


def _news(content: Json, limits: Limits) -> Json:
    articles = content.get("articles")
    if not isinstance(articles, list) or not 1 <= len(articles) <= limits.articles_max:
        raise ApiError(45008, "article count out of limit")
    shown = []
    for article in articles:
        title = cut_bytes(_words(article, "title"), limits.title_bytes_max)
        description = cut_bytes(str(article.get("description", "")), limits.description_bytes_max)
        shown.append({**article, "title": title, "description": description})
    return {"articles": shown}


def check_card(card: Json, limits: Limits) -> None:
    """Refuse a template card that breaks the vendor's rules of its type."""
    kind = card.get("card_type")
    if kind not in CARD_TYPES:
        raise bad_parameter(f"card_type {kind!r}")
    _check_task_id(card, limits, required=kind in ANSWERED_TYPES)
    main = card.get("main_title") or {}
    if not isinstance(main, dict) or not (main.get("title") or card.get("sub_title_text")):
        raise bad_parameter("main_title.title and sub_title_text are both empty")
    _most(card, "horizontal_content_list", limits.facts_max)
    for fact in card.get("horizontal_content_list", []):
        _words(fact, "keyname")
    _most(card, "jump_list", limits.jumps_max)
    for jump in card.get("jump_list", []):
        _words(jump, "title")
    if kind in ("text_notice", "news_notice"):
        _check_action(card.get("card_action"))
    if kind == "button_interaction":
        _check_buttons(card, limits)
    if kind == "vote_interaction":
        _check_vote(card, limits)
    if kind == "multiple_interaction":
        _check_selects(card, limits)


def _check_task_id(card: Json, limits: Limits, *, required: bool) -> None:
    task_id = card.get("task_id")
    if task_id is None and not required and "action_menu" not in card:
        return
    if not isinstance(task_id, str) or not _TASK_ID.fullmatch(task_id):
        raise bad_parameter("task_id must be of 0-9a-zA-Z_-@")
    if len(task_id.encode()) > limits.task_id_bytes_max:
        raise bad_parameter("task_id too long")


def _check_action(action: Any) -> None:
    if not isinstance(action, dict) or action.get("type") not in (1, 2):
        raise bad_parameter("card_action.type")
    if action["type"] == 1 and not action.get("url"):
        raise bad_parameter("card_action.url")


def _check_buttons(card: Json, limits: Limits) -> None:
    buttons = card.get("button_list")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= limits.buttons_max:
        raise bad_parameter("button_list size")
    for button in buttons:
        _words(button, "text")
        if button.get("type", 0) == 1:
            _words(button, "url")
        else:
            _key(button, "key", limits)
        if button.get("style", 1) not in (1, 2, 3, 4):
            raise bad_parameter("button_list.style")
    if "button_selection" in card:
        _check_select(card["button_selection"], limits)


def _check_vote(card: Json, limits: Limits) -> None:
    box = card.get("checkbox") or {}
    _key(box, "question_key", limits)
    _options(box, limits.vote_options_max)
    _check_submit(card, limits)


def _check_selects(card: Json, limits: Limits) -> None:
    selects = card.get("select_list")
    if not isinstance(selects, list) or not 1 <= len(selects) <= limits.selects_max:
        raise bad_parameter("select_list size")
    for select in selects:
        _check_select(select, limits)
    _check_submit(card, limits)


def _check_select(select: Json, limits: Limits) -> None:
    _key(select, "question_key", limits)
    _options(select, limits.options_max)


def _check_submit(card: Json, limits: Limits) -> None:
    submit = card.get("submit_button") or {}
    _words(submit, "text")
    _key(submit, "key", limits)


def _options(holder: Json, most: int) -> None:
    options = holder.get("option_list")
    if not isinstance(options, list) or not 1 <= len(options) <= most:
        raise bad_parameter("option_list size")
    ids = [_words(option, "id") for option in options]
    for option in options:
        _words(option, "text")
    if len(set(ids)) != len(ids):
        raise bad_parameter("option_list ids repeat")


def _key(holder: Json, name: str, limits: Limits) -> None:
    if len(_words(holder, name).encode()) > limits.key_bytes_max:
        raise bad_parameter(f"{name} too long")


def _most(card: Json, name: str, most: int) -> None:
    if len(card.get(name, [])) > most:
        raise bad_parameter(f"{name} size")
