"""Within how many minutes what goes up (时限), by level, with the text each figure rests on."""

from collections.abc import Mapping
from dataclasses import dataclass

from incidents.model import Severity


@dataclass(frozen=True)
class Limit:
    """The limits of one level, in office minutes from 接报 and, beside it, from 事发."""

    phone_minutes: float
    written_minutes: float
    follow_up_minutes: float  # Until the event is stable.
    source: str


@dataclass(frozen=True)
class Profile:
    """The limits of one direction of reporting."""

    name: str
    limits: Mapping[Severity, Limit]
    sensitive: Limit  # For 敏感, whatever the level; the shorter of the two counts.


_TOWN = "默认口径「镇街→市」, 各地规定的常见值(如某市《关于突发事件信息报告的通知》); 本市文件可在配置中替换"
_CITY = "默认口径「市→省」: 较大以上力争30分钟内电话、1小时内书面"

TOWN_TO_CITY = Profile(
    "镇街→市",
    {
        Severity.extremely_serious: Limit(15, 30, 60, _TOWN),
        Severity.serious: Limit(15, 30, 60, _TOWN),
        Severity.major: Limit(20, 40, 120, _TOWN),
        Severity.general: Limit(30, 60, 240, _TOWN),
    },
    sensitive=Limit(20, 40, 240, _TOWN),
)

CITY_TO_PROVINCE = Profile(
    "市→省",
    {
        Severity.extremely_serious: Limit(30, 60, 60, _CITY),
        Severity.serious: Limit(30, 60, 60, _CITY),
        Severity.major: Limit(30, 60, 120, _CITY),
    },
    sensitive=Limit(30, 60, 240, _CITY),
)

STABLE_FOLLOW_UP_MINUTES = 24 * 60.0  # Once the event is stable: daily.
CASUALTIES_FOLLOWED_DAYS = 30  # 国务院令第493号第十三条; traffic and fire 7 days.
CASUALTIES_FOLLOWED_DAYS_TRAFFIC_FIRE = 7
WARN_AT = 0.5  # A clock warns when this share of its time is gone.
