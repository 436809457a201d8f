"""What WeCom allows, as data: read in the vendor's pages, or general knowledge that nobody confirmed."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(slots=True)
class Limits:
    """The knobs; `paced` switches the silent drop, the counters of calls and the robot's pace together."""

    paced: bool = True

    # The vendor's page on sending messages and on template cards.
    receivers_max: int = 1000
    text_bytes_max: int = 2048
    markdown_bytes_max: int = 2048
    title_bytes_max: int = 128
    description_bytes_max: int = 512
    url_bytes_max: int = 2048
    articles_max: int = 8
    buttons_max: int = 6
    facts_max: int = 6
    jumps_max: int = 3
    selects_max: int = 3
    options_max: int = 10
    vote_options_max: int = 20
    task_id_bytes_max: int = 128
    key_bytes_max: int = 1024
    response_code_seconds: float = 72 * 3600
    recall_seconds: float = 24 * 3600
    duplicate_interval_default: int = 1800
    duplicate_interval_max: int = 4 * 3600
    token_seconds: float = 7200
    media_seconds: float = 3 * 24 * 3600
    image_bytes_max: int = 10 * MIB
    voice_bytes_max: int = 2 * MIB
    video_bytes_max: int = 10 * MIB
    file_bytes_max: int = 20 * MIB
    media_bytes_min: int = 6
    sign_in_code_seconds: float = 300
    menu_buttons_max: int = 3
    menu_entries_max: int = 5
    menu_name_bytes_max: int = 16
    entry_name_bytes_max: int = 40
    menu_key_bytes_max: int = 128
    robot_per_minute: int = 20
    callback_seconds: float = 5.0
    callback_retries: int = 3

    # General knowledge, not confirmed in the vendor's text.
    member_per_minute: int = 30
    member_per_hour: int = 1000
    day_per_licensed_member: int = 200
    calls_per_minute: int | None = None
    calls_at_once: int | None = None
    callback_pause_seconds: float = 1.0
    callbacks_at_once: int = 40
    menu_url_bytes_max: int = 1024

    # The AI bot's long connection. The 5 s and the media URL's 5 min are the vendor's; the rest is read
    # in public code.
    answer_seconds: float = 5.0
    media_url_seconds: float = 300
    reply_seconds: float = 24 * 3600
    stream_seconds: float = 360
    stream_bytes_max: int = 20_480
    silence_seconds: float = 90
    chat_per_minute: int = 30
    chat_per_hour: int = 1000


class Counts:
    """Counts what happened lately, by name."""

    def __init__(self) -> None:
        self._moments: dict[str, deque[float]] = defaultdict(deque)

    def take(self, name: str, now: float, *limits: tuple[float, int]) -> bool:
        """Count one more unless one of the (seconds, most) is full already."""
        moments = self._moments[name]
        longest = max(seconds for seconds, _ in limits)
        while moments and moments[0] <= now - longest:
            moments.popleft()
        for seconds, most in limits:
            if len(moments) >= most and moments[-most] > now - seconds:
                return False
        moments.append(now)
        return True
