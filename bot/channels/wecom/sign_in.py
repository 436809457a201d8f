"""Signs a member in to the desk's screen from within WeCom: the vendor says who it is, a one-time link lets them in."""

import hmac
import logging
import secrets
from datetime import timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.channels.wecom.api import Api
from bot.channels.wecom.faults import CallFailed
from bot.channels.wecom.messages import CHANNEL
from bot.channels.wecom.settings import SIGN_IN_PATH, WeComSettings
from desk.model import Session
from desk.ports import Door
from roster.model import Account, Officer
from web.sessions import digest
from web.sign_in import LINK

log = logging.getLogger(__name__)

AUTHORIZE_URL = "https://open.weixin.qq.com/connect/oauth2/authorize"
STATE_COOKIE = "muster_wecom_state"
STATE_SECONDS = 600
LINK_LASTS = timedelta(minutes=5)
CODE_MAX = 512


class MemberSignIn:
    """The address a member opens in WeCom. Whoever cannot be told goes to the ordinary sign-in page."""

    def __init__(self, settings: WeComSettings, api: Api, door: Door) -> None:
        self._settings = settings
        self._api = api
        self._door = door

    def route(self) -> Route:
        """The one route: without a code it asks the vendor who this is, with one it lets them in."""
        return Route(SIGN_IN_PATH, self.page, methods=["GET"])

    async def page(self, request: Request) -> Response:
        """Send the browser on."""
        code, state = request.query_params.get("code", ""), request.query_params.get("state", "")
        if not code:
            return self._ask()
        kept = request.cookies.get(STATE_COOKIE, "")
        if not kept or not hmac.compare_digest(kept.encode(), state.encode()) or len(code) > CODE_MAX:
            return RedirectResponse("/sign-in", 303)
        link = await self._link(code)
        response = RedirectResponse(f"/sign-in/{link}" if link else "/sign-in", 303)
        response.delete_cookie(STATE_COOKIE, path=SIGN_IN_PATH)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _ask(self) -> Response:
        state = secrets.token_urlsafe(24)
        query = {
            "appid": self._settings.corp_id,
            "redirect_uri": self._settings.public_url.rstrip("/") + SIGN_IN_PATH,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
            "agentid": self._settings.agent_id,
        }
        response = RedirectResponse(f"{AUTHORIZE_URL}?{urlencode(query)}#wechat_redirect", 303)
        response.set_cookie(
            STATE_COOKIE,
            state,
            max_age=STATE_SECONDS,
            path=SIGN_IN_PATH,
            secure=self._settings.public_url.startswith("https:"),
            httponly=True,
            samesite="lax",
        )
        return response

    async def _link(self, code: str) -> str:
        """The secret of a one-time link for the member a code stands for; empty when it is nobody of ours."""
        try:
            answer = await self._api.call("auth/getuserinfo", code=code)
        except CallFailed as fault:
            log.warning("wecom: a sign-in was not carried out: %s", fault)
            return ""
        userid = answer.get("userid")
        if not isinstance(userid, str) or not userid:
            return ""  # Somebody from outside the corporation.
        async with self._door.open() as desk:
            found = await desk.store.find(
                Account, channel=CHANNEL, address=userid.lower(), reachable=True, limit=1
            )
            officer = await desk.store.get(Officer, found[0].officer_id) if found else None
            if officer is None or not officer.active:
                return ""
            secret = secrets.token_urlsafe(32)
            ends_at = desk.now + LINK_LASTS
            await desk.store.add(Session(digest(secret), officer.id, LINK, desk.now, desk.now, ends_at))
        return secret
