"""How the desk's screen is served, read from the configuration by whoever starts it."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]", "::1")


@dataclass(frozen=True)
class WebSettings:
    """Everything the web door may need to know that is not the office's policy."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    demonstration: bool = False
    secret_key: str = ""  # Empty: a new one at every start, so open forms must be loaded again.
    api_tokens: tuple[str, ...] = ()  # SHA-256 (hex) of each bearer token.
    attachments_path: str = "data/attachments"
    trusted_proxies: tuple[str, ...] = ()  # Addresses whose X-Forwarded-* are believed.
    hosts: tuple[str, ...] = ()  # Further names this desk answers to.
    tiles_url: str = ""  # Empty: no outside map tiles, the schematic map only.
    tiles_attribution: str = ""
    body_bytes_max: int = 64 * 1024
    body_seconds_max: float = 20
    streams_max: int = 200
    streams_per_person_max: int = 20
    session_idle_hours: float = 12
    session_hours_max: float = 72
    code_minutes: float = 10

    @property
    def is_https(self) -> bool:
        """Whether people reach the desk over https."""
        return urlsplit(self.public_url).scheme == "https"

    @property
    def is_open(self) -> bool:
        """Whether the demonstration town may be looked at without signing in: on loopback only."""
        return self.demonstration and is_loopback(self.host)

    def answers_to(self, name: str, local_address: str) -> bool:
        """Whether a Host header's name is ours."""
        own = {self.host.lower(), (urlsplit(self.public_url).hostname or "").lower(), local_address.lower()}
        own |= {host.lower() for host in self.hosts}
        if is_loopback(local_address):
            own |= set(LOOPBACK_NAMES)
        return name in own - {""}


def is_loopback(address: str) -> bool:
    """Whether an address or host name means this machine only."""
    if address == "localhost":
        return True
    try:
        return ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False
