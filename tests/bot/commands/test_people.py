"""`people` takes somebody out and lets them back in without a browser."""

from roster.model import Account, Officer
from tests.bot.commands.cli import Cli, fill


async def test_somebody_is_taken_out_named_by_check_and_let_back_in(cli: Cli) -> None:
    await fill(cli)
    done = cli("people", "deactivate", "陈值班")
    assert done.code == 0 and "陈值班" in done.out
    async with cli.office() as office, office.door.read() as store:
        assert [one.name for one in await store.find(Officer, active=False)] == ["陈值班"]
        assert not await store.find(Account, officer_id="o1", reachable=True)
    assert "空岗" in cli("check").out
    assert cli("people", "deactivate", "陈值班").code == 1, "nobody of that name is left"
    assert cli("people", "reactivate", "陈值班").code == 0
    async with cli.office() as office, office.door.read() as store:
        assert await store.count(Officer, active=False) == 0


async def test_links_are_revoked(cli: Cli) -> None:
    await fill(cli)
    assert cli("invite", "王信息").code == 0
    done = cli("people", "revoke-links", "王信息")
    assert done.code == 0 and "2 个有效" in done.out  # `fill` made one as well.
