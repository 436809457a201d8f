"""The application's menu, set from here wherever it differs: 报送 · 状态 · 我的值班."""

import logging
from typing import Any

from bot.channels.wecom.api import Api
from bot.channels.wecom.faults import Refused
from bot.channels.wecom.settings import WeComSettings
from bot.channels.wecom.words import chat

log = logging.getLogger(__name__)

NO_MENU = 46003
Json = dict[str, Any]


def menu_of(language: str) -> list[Json]:
    """The menu in a language. A key that begins with a slash is the command it stands for."""

    def entry(kind: str, name: str, key: str) -> Json:
        return {"type": kind, "name": chat(language, name), "key": key}

    report = [
        entry("click", "report_text", "/report"),
        entry("pic_photo_or_album", "report_photo", "photo"),
        entry("location_select", "report_place", "place"),
    ]
    return [
        {"name": chat(language, "report"), "sub_button": report},
        entry("click", "status", "/status"),
        entry("click", "mine", "/mine"),
    ]


async def set_menu(api: Api, settings: WeComSettings) -> bool:
    """Set the menu unless it stands; says whether it was set. Raises CallFailed."""
    wanted = menu_of(settings.language)
    try:
        found = await api.call("menu/get", agentid=settings.agent_id)
    except Refused as refusal:
        if refusal.code != NO_MENU:
            raise
        found = {}
    if _bare(found.get("button")) == wanted:
        return False
    await api.call("menu/create", {"button": wanted}, agentid=settings.agent_id)
    return True


def _bare(buttons: Any) -> list[Json]:
    """The menu without what WeCom adds to it: empty lists and links."""
    found = []
    for button in buttons if isinstance(buttons, list) else []:
        below = _bare(button.get("sub_button"))
        if below:
            found.append({"name": button.get("name"), "sub_button": below})
        else:
            found.append({name: button.get(name) for name in ("type", "name", "key")})
    return found
