"""WeCom's side of the callback cipher, made by wechatpy: somebody else's code than the product's."""

from __future__ import annotations

import base64
import secrets
from typing import Any
from urllib.parse import urlencode

from wechatpy.crypto import _get_signature  # type: ignore[import-untyped]  # It ships no types.
from wechatpy.enterprise.crypto import PrpCrypto  # type: ignore[import-untyped]  # The same.

from tests.fakes.wecom_model import Json


def new_aes_key() -> str:
    """Return an EncodingAESKey as the console makes it: 43 characters."""
    return base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")


class Seal:
    """Encrypts and signs for one app."""

    def __init__(self, token: str, aes_key: str, corp_id: str) -> None:
        self.token = token
        self.aes_key = aes_key
        self.corp_id = corp_id
        self._cipher: Any = PrpCrypto(base64.b64decode(aes_key + "="))

    def encrypt(self, plain: str | bytes, corp_id: str | None = None) -> str:
        """Return the ciphertext in base64; another corp id makes it a foreign callback."""
        return str(self._cipher.encrypt(plain, corp_id or self.corp_id).decode())

    def query(self, encrypted: str, at: float, **more: str) -> str:
        """Return the signed query string for a ciphertext."""
        timestamp, nonce = str(int(at)), str(secrets.randbelow(10**10))
        signature = str(_get_signature(self.token, timestamp, nonce, encrypted))
        return urlencode({"msg_signature": signature, "timestamp": timestamp, "nonce": nonce, **more})

    def envelope(self, encrypted: str, agent_id: int) -> bytes:
        """Return the outer XML."""
        return (
            f"<xml><ToUserName><![CDATA[{self.corp_id}]]></ToUserName>"
            f"<Encrypt><![CDATA[{encrypted}]]></Encrypt>"
            f"<AgentID><![CDATA[{agent_id}]]></AgentID></xml>"
        ).encode()


def as_xml(fields: Json) -> str:
    """Return the inner XML: text in CDATA, numbers bare, lists as repeated elements."""
    return f"<xml>{_elements(fields)}</xml>"


def _elements(fields: Json) -> str:
    parts = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            parts.append(f"<{name}>{_inner(one)}</{name}>")
    return "".join(parts)


def _inner(value: object) -> str:
    if isinstance(value, dict):
        return _elements(value)
    if isinstance(value, int | float):
        return str(value)
    return f"<![CDATA[{str(value).replace(']]>', ']]]]><![CDATA[>')}]]>"
