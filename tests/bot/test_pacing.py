"""How fast messages may leave."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.pacing import CHAT_BURST, OVERALL_BURST, Pacer, calm_at
from desk.model import Bucket, Lane
from desk.ports import ChannelLimits, Rate

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
FAR = NOW + timedelta(days=1)
THIRTY = ChannelLimits(per_second=30, per_chat_seconds=1)
MEMBER = (Rate(30, 60), Rate(1000, 3600))


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


@pytest.mark.parametrize("limits", [THIRTY, ChannelLimits(per_chat=MEMBER, in_total=MEMBER)])
def test_a_moment_that_was_not_used_is_free_again(limits: ChannelLimits) -> None:
    pacer, untouched = Pacer([]), Pacer([])
    for one in (pacer, untouched):
        for _ in range(20):
            one.reserve("telegram", "7", limits, NOW, latest=FAR)
    for _ in range(50):  # Given to a process that cannot send it, again and again.
        pacer.reserve("telegram", "7", limits, NOW, latest=FAR)
        pacer.give_back("telegram", "7", limits, Lane.bulk)
    assert pacer.reserve("telegram", "7", limits, NOW, latest=FAR) == untouched.reserve(
        "telegram", "7", limits, NOW, latest=FAR
    )


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


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("rates", [MEMBER, (Rate(20, 60),), (Rate(1, 20),), (Rate(2, 1), Rate(3, 60))])
def test_a_rate_is_never_exceeded_in_any_span(rates: tuple[Rate, ...], lane: Lane) -> None:
    pacer, now, left = Pacer([]), NOW, []
    limits = ChannelLimits(per_chat=rates)
    for number in range(1500):  # As fast as it goes, with a pause that saves up a burst.
        now = max(now, NOW + timedelta(hours=1)) if number == 700 else now
        now, _ = pacer.reserve("wecom", "a", limits, now, latest=FAR + timedelta(days=9), lane=lane)
        left.append((now - NOW).total_seconds())
    for rate in rates:
        for place in range(rate.messages, len(left)):
            assert left[place] - left[place - rate.messages] >= rate.seconds


def test_an_urgent_message_finds_room_that_bulk_left_in_a_chat_s_rate() -> None:
    pacer, limits = Pacer([]), ChannelLimits(per_chat=MEMBER)
    while pacer.reserve("wecom", "a", limits, NOW, latest=NOW)[1]:
        pass
    assert pacer.reserve("wecom", "a", limits, NOW, latest=NOW, lane=Lane.urgent) == (NOW, True)


def test_the_total_counts_every_recipient_and_no_amendment() -> None:
    pacer, limits = Pacer([]), ChannelLimits(in_total=(Rate(100, 86400),))
    leaving = [pacer.reserve("wecom", str(chat), limits, NOW, latest=NOW)[1] for chat in range(200)]
    assert sum(leaving) == 30  # Ninety of a hundred, half of them at once, two thirds of that for bulk.
    assert pacer.reserve("wecom", "", limits, NOW, latest=NOW) == (NOW, True)


def test_fault_13_a_channel_without_rates_is_held_as_well() -> None:
    until = NOW + timedelta(seconds=37)
    limits = ChannelLimits(per_chat=MEMBER, in_total=(Rate(100, 86400),))
    pacer = Pacer([])
    pacer.hold("wecom", "", limits, until)
    for lane in Lane:
        assert pacer.reserve("wecom", "a", limits, NOW, latest=FAR, lane=lane) == (until, True)
    pacer = Pacer([])
    pacer.hold("plain", "7", ChannelLimits(), until)
    assert pacer.reserve("plain", "7", ChannelLimits(), NOW, latest=FAR) == (until, True)
    assert pacer.reserve("plain", "8", ChannelLimits(), NOW, latest=FAR) == (NOW, True)


def test_what_can_wait_leaves_after_a_busy_minute_at_a_moment_of_its_own() -> None:
    limits = ChannelLimits(busy_minutes=(0, 30))
    busy, calm = NOW + timedelta(seconds=59), NOW + timedelta(minutes=1)
    moments = {calm_at(limits, busy, str(seed)) for seed in range(50)}
    assert len(moments) == 50 and all(calm <= one < calm + timedelta(minutes=4) for one in moments)
    assert calm_at(limits, NOW, "a") == calm_at(limits, NOW, "a")
    assert calm_at(limits, calm, "a") == calm
    assert calm_at(ChannelLimits(), NOW, "a") == NOW
