"""Parameters of one call, however they came: query, form, multipart or JSON (bots/api#making-requests)."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.telegram_model import Json, bad_request


class Params:
    """Typed reading of what a client sent; forms carry every value as text, JSON bodies as themselves."""

    def __init__(self, values: Json, files: dict[str, tuple[str, bytes]] | None = None) -> None:
        self.values = values
        self.files = files or {}

    def text(self, name: str) -> str:
        """Return the value as text, or an empty text."""
        value = self.values.get(name)
        return "" if value is None else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        """Return the value as an integer; what is none counts as the default, as in the real server."""
        try:
            return int(self.values.get(name, default))
        except (TypeError, ValueError):
            return default

    def number(self, name: str) -> float:
        """Return the value as a float, or refuse."""
        try:
            return float(self.values[name])
        except (KeyError, TypeError, ValueError):
            raise bad_request(f"{name} is empty" if not self.text(name) else f"invalid {name}") from None

    def flag(self, name: str) -> bool:
        """Return the value as a truth."""
        return str(self.values.get(name, "")).strip().lower() in ("true", "yes", "1", "y", "t")

    def parsed(self, name: str, what: str) -> Any:
        """Return a JSON-serialised value, or nothing when it is absent."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {what} JSON object") from None

    def markup(self) -> Json | None:
        """Return reply_markup as an object."""
        value = self.parsed("reply_markup", "reply keyboard markup")
        if value is not None and not isinstance(value, dict):
            raise bad_request("object expected as reply markup")
        return value
