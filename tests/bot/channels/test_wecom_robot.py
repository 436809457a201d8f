"""A group's robot says what the officer who stands for the group is told, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.channels import Services
from bot.channels.wecom_robot.channel import GroupRobot, make
from desk.model import Card, Outcome, Rendered
from desk.ports import ChannelFault
from roster.model import Account, Officer
from tests.bot.channels.contract import KeptIntake
from tests.bot.channels.webchat_parts import open_door, open_media
from tests.bot.channels.wecom_line import UNIT
from tests.fakes.wecom_server import FakeWeCom

KEY = "693a91f6-7a0c-4bc4-97a0-0ec2sifa5aaa"


class Group:
    """A desk with a robot in one group."""

    def __init__(self, fake: FakeWeCom, services: Services, troubles: list[tuple[str, str]]) -> None:
        self.fake = fake
        self.services = services
        self.troubles = troubles
        url = f"{fake.base_url}/cgi-bin/webhook/send?key={KEY}"
        channel = make({"url": url, "officer": "值班群", "language": "zh-CN"}, services)
        assert isinstance(channel, GroupRobot)
        self.channel = channel


@pytest_asyncio.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    told: list[tuple[str, str]] = []

    async def tell(kind: str, text: str) -> None:
        told.append((kind, text))

    async with FakeWeCom() as fake, open_door(tmp_path) as door:
        async with door.open() as desk:
            await desk.store.add(UNIT)
        group = Group(fake, Services(KeptIntake(), tell, door, open_media(tmp_path)), told)
        yield group
        await group.channel.close()


async def test_a_summary_is_said_in_the_group(group: Group) -> None:
    said = group.fake.robot(KEY)
    [receipt] = await group.channel.send(Rendered("【要情】昨日无事"), ["group"], key="k1")
    assert receipt.outcome is Outcome.sent
    assert [one["text"]["content"] for one in said] == ["【要情】昨日无事"]
    [other] = await group.channel.send(Rendered("x"), ["another"], key="k2")
    [changed] = await group.channel.amend(Rendered("x"), [Card("group", "1")])
    assert (other.outcome, changed.outcome, len(said)) == (Outcome.refused, Outcome.refused, 1)


async def test_more_than_twenty_a_minute_wait_and_an_address_that_is_gone_is_told(group: Group) -> None:
    group.fake.robot(KEY)
    receipts = [
        (await group.channel.send(Rendered(f"第{n}条"), ["group"], key=f"k{n}"))[0] for n in range(21)
    ]
    assert [one.outcome for one in receipts] == [Outcome.sent] * 20 + [Outcome.not_sent]
    assert receipts[-1].retry_after_seconds == 60
    rate = group.channel.limits.per_chat[0]
    assert (rate.messages, rate.seconds) == (group.fake.limits.robot_per_minute, 60)
    del group.fake.world.robots[KEY]
    [receipt] = await group.channel.send(Rendered("一"), ["group"], key="k")
    assert (receipt.outcome, receipt.whole_channel) == (Outcome.not_sent, True)
    assert group.troubles[-1][0] == "gone" and "Webhook" in group.troubles[-1][1]
    assert KEY not in receipt.reason


async def test_the_officer_who_stands_for_the_group_is_bound(group: Group) -> None:
    with pytest.raises(ChannelFault, match="值班群"):
        await group.channel.check()
    door = group.services.door
    async with door.open() as desk:
        await desk.store.add(Officer("g1", "值班群", "u1"))
    running = asyncio.create_task(group.channel.run(KeptIntake().take))
    async with asyncio.timeout(5):
        while True:
            async with door.read() as store:
                found = await store.find(Account, channel="wecom_robot")
            if found:
                break
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (found[0].officer_id, found[0].address) == ("g1", "group")
    assert "值班群" in await group.channel.check()
    with pytest.raises(ValueError, match="nothing"):
        group.channel.parse(b"{}")


@pytest.mark.parametrize(
    "url", ["https://x.test/", "https://x.test/cgi-bin/webhook/send", "ftp://x/cgi-bin/webhook/send?key=1"]
)
async def test_input_63_an_address_that_is_no_robots_is_refused_at_the_start(group: Group, url: str) -> None:
    with pytest.raises(ChannelFault, match="Webhook"):
        make({"url": url, "officer": "值班群", "language": "zh-CN"}, group.services)
    assert make({"url": "", "officer": "值班群", "language": "zh-CN"}, group.services) is None
