"""Tells a watcher outside, by its Healthchecks-style address, that all is well, or what is not."""

import logging
from collections.abc import Sequence
from typing import Self

import httpx

from desk.invariants import Finding

log = logging.getLogger(__name__)

ANSWER_SECONDS_MAX = 10.0
REASON_MAX = 1_000


class Heartbeat:
    """POSTs to the address when everything holds, and to its `/fail` with the reasons when something does not.

    Without an address it is silent. An address that cannot be had stops nothing; redirects are not followed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: httpx.AsyncClient | None = None
        self._is_down = False

    async def __aenter__(self) -> Self:
        if self._url:
            self._client = httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, follow_redirects=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def tell(self, findings: Sequence[Finding]) -> None:
        """Beat, or say what is broken."""
        broken = [f"{one.name}: {one.broken}" for one in findings if one.broken]
        if self._client is None:
            return
        address = httpx.URL(self._url)
        if broken:
            address = address.copy_with(path=address.path.rstrip("/") + "/fail")
        try:
            response = await self._client.post(address, content="\n".join(broken)[:REASON_MAX].encode())
            fault = "" if response.is_success else f"HTTP {response.status_code}"
        except httpx.HTTPError as error:
            fault = type(error).__name__  # Its words may hold the address, which is a secret of a sort.
        if bool(fault) != self._is_down:
            self._is_down = bool(fault)
            log.warning("the outside heartbeat %s", f"cannot be told: {fault}" if fault else "is told again")
