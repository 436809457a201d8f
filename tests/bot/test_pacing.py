"""How fast messages may leave."""

from datetime import UTC, datetime, timedelta

from bot.pacing import CHAT_BURST, OVERALL_BURST, Pacer
from desk.model import Bucket, Lane
from desk.ports import ChannelLimits

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
FAR = NOW + timedelta(days=1)
THIRTY = ChannelLimits(per_second=30, per_chat_seconds=1)


def moments(pacer: Pacer, chats: list[str], *, now: datetime = NOW) -> list[float]:
    """The seconds from now at which messages to these chats may leave."""
    return [
        (pacer.reserve("telegram", chat, THIRTY, now, latest=FAR)[0] - NOW).total_seconds() for chat in chats
    ]


def test_a_fan_out_keeps_the_platform_s_rate() -> None:
    leaving = moments(Pacer([]), [str(chat) for chat in range(301)])
    assert leaving[:OVERALL_BURST] == [0.0] * OVERALL_BURST
    assert abs(leaving[-1] - (300 - OVERALL_BURST + 1) / 30) < 1e-3
    for start in leaving:  # In no second more than thirty and the burst.
        assert sum(start <= moment < start + 1 for moment in leaving) <= 30 + OVERALL_BURST


def test_one_chat_gets_one_message_a_second_after_a_short_burst() -> None:
    leaving = moments(Pacer([]), ["7"] * 6)
    assert leaving == [0.0] * CHAT_BURST + [1.0, 2.0, 3.0]


def test_a_quiet_hour_saves_up_no_more_than_the_burst() -> None:
    pacer = Pacer([Bucket("telegram", NOW - timedelta(hours=1))])
    assert sum(moment == 0.0 for moment in moments(pacer, [str(chat) for chat in range(40)])) == OVERALL_BURST


def test_an_urgent_message_goes_before_what_bulk_has_reserved_and_bulk_pays_for_it() -> None:
    pacer = Pacer([])
    moments(pacer, [str(chat) for chat in range(OVERALL_BURST + 10)])
    at, _ = pacer.reserve("telegram", "900", THIRTY, NOW, latest=FAR, lane=Lane.urgent)
    assert at == NOW
    assert (
        abs(moments(pacer, ["901"])[0] - 12 / 30) < 1e-3
    )  # Eleven bulk slots and the urgent one came before.


def test_what_would_leave_too_late_is_not_reserved() -> None:
    pacer = Pacer([Bucket("telegram", NOW + timedelta(seconds=10))])
    at, reserved = pacer.reserve("telegram", "7", THIRTY, NOW, latest=NOW + timedelta(seconds=1))
    assert not reserved
    assert at > NOW + timedelta(seconds=9)
    assert pacer.reserve("telegram", "7", THIRTY, NOW, latest=FAR)[0] == at


def test_fault_13_after_429_nothing_leaves_before_its_time() -> None:
    pacer = Pacer([])
    pacer.hold("telegram", "", THIRTY, NOW + timedelta(seconds=37))
    urgent, _ = pacer.reserve("telegram", "8", THIRTY, NOW, latest=FAR, lane=Lane.urgent)
    assert urgent == NOW + timedelta(seconds=37)  # Pages lead …
    [bulk] = moments(pacer, ["7"])
    assert 37.0 < bulk < 38.0  # … and the others follow.
    pacer = Pacer([])
    pacer.hold("telegram", "7", THIRTY, NOW + timedelta(seconds=37))
    assert moments(pacer, ["7", "8"]) == [37.0, 0.0]


def test_a_channel_without_limits_never_waits() -> None:
    pacer = Pacer([])
    assert all(
        pacer.reserve("webchat", "a", ChannelLimits(), NOW, latest=NOW) == (NOW, True) for _ in range(100)
    )
