"""The ladder: each step once, nobody left out, nobody after the signature, and never silence for ever."""

import random
from dataclasses import replace

import pytest

from desk import acknowledgements, escalations
from desk.model import Job, Letter, LetterState
from desk.reports import correct_level
from incidents.lifecycle import AlreadySigned
from incidents.model import UNSIGNED_STATES, Incident, Ladder, Severity, State, Step
from roster.model import Account, Officer
from tests.handlers.chat import LADDER, NORTH, OFFICE, POLICY, Chat, open_chat

FIRE = "地点：泰丰路，五金厂二楼起火"


async def fire(chat: Chat) -> Incident:
    await chat["陈村"].say(FIRE)
    return await chat.incident()


async def sign(chat: Chat, name: str = "邓值") -> None:
    incident = await chat.newest()
    async with chat.desk() as desk:
        await acknowledgements.sign(desk, incident.id, await chat.officer(name))


async def unreach(chat: Chat, *names: str) -> None:
    """Their phones refuse every message for good."""
    chat.line.gone |= {f"p-{name}" for name in names}


async def test_each_rung_is_paged_at_its_minute(chat: Chat) -> None:
    await fire(chat)
    for minutes, expected in (
        (0, ["邓值"]),
        (2.99, ["邓值"]),
        (0.01, ["邓值", "李领"]),
        (6.99, ["邓值", "李领"]),
        (0.01, ["邓值", "李领", "欧办"]),
    ):
        await chat.pass_minutes(minutes)
        assert await chat.paged() == expected


async def test_the_ladder_is_frozen_when_the_incident_is_opened() -> None:
    async with open_chat() as chat:
        await fire(chat)
        other = Ladder("改后", (Step(0, ("officer:郭东",)),))
        chat.door.policy = replace(chat.door.policy, ladders=(other,))
        await chat.pass_minutes(10)
        assert await chat.paged() == ["邓值", "李领", "欧办"]
        assert (await chat.incident()).ladder == LADDER


async def test_fault_31_the_roster_is_read_at_each_step(chat: Chat) -> None:
    await fire(chat)
    await chat.roster(("马同", NORTH, "duty_leader"))
    await chat.pass_minutes(3)
    assert await chat.paged() == ["邓值", "马同"]


async def test_a_step_whose_post_nobody_holds_is_passed_over_at_once_and_said_in_the_log(
    chat: Chat,
) -> None:
    await chat.roster(("李领", NORTH, "duty_leader"))
    await fire(chat)
    assert await chat.paged() == ["李领"]
    assert [facts["to"] for facts in await chat.logged("step_unheld")] == [["post:duty_officer"]]
    await chat.pass_minutes(10)
    assert await chat.paged() == ["李领", "欧办"]


async def test_fault_32_an_empty_ladder_pages_the_fallback_and_says_so(chat: Chat) -> None:
    await chat.roster()
    await chat.change_officer("欧办", active=False)
    await fire(chat)
    assert await chat.paged() == ["李领"]  # role:leader, since role:office means nobody.
    assert chat["李领"].saw("无人在岗可通知")
    assert [facts["told"] for facts in await chat.logged("ladder_empty")] == [["李领"]]


async def test_fault_32_the_fallback_is_paged_again_in_every_further_walk(chat: Chat) -> None:
    await chat.roster()
    await chat.change_officer("欧办", active=False)
    await fire(chat)
    await chat.pass_minutes(120)
    assert len(await chat.paged()) >= 4
    assert len(await chat.logged("ladder_empty")) == len(await chat.paged())


async def test_fault_42_when_nobody_at_all_is_known_the_log_says_so_and_it_goes_on_trying(chat: Chat) -> None:
    await chat.roster()
    for name in ("欧办", "李领", "郑管", "何东", "简局"):
        await chat.change_officer(name, active=False)
    incident = await fire(chat)
    assert await chat.paged() == []
    assert [facts["told"] for facts in await chat.logged("ladder_empty")] == [[]]
    assert (await chat.get(Incident, incident.id)).next_step_at is not None
    await chat.change_officer("欧办", active=True)
    await chat.pass_minutes(10)
    assert "欧办" in await chat.paged()


async def test_an_unheard_page_climbs_now(chat: Chat) -> None:
    await unreach(chat, "邓值")
    await fire(chat)
    assert await chat.paged() == ["邓值", "李领"]
    assert [facts["officer"] for facts in await chat.logged("page_undeliverable")] == ["邓值"]
    assert (await chat.the(Account, officer_id="o-邓值")).reachable is False


async def test_an_unheard_page_climbs_only_when_nobody_else_holds_the_same_rung(chat: Chat) -> None:
    await chat.roster(
        ("邓值", NORTH, "duty_officer"), ("马同", NORTH, "duty_officer"), ("李领", NORTH, "duty_leader")
    )
    await unreach(chat, "邓值")
    await fire(chat)
    assert sorted(await chat.paged()) == ["邓值", "马同"]
    await chat.pass_minutes(3)
    assert (await chat.paged())[-1] == "李领"


async def test_fault_32_a_ladder_that_reaches_nobody_pages_each_fallback_group_in_turn_and_does_not_spin() -> (
    None
):
    async with open_chat(replace(POLICY, fallback=("role:office", "role:admin"))) as chat:
        await unreach(chat, "邓值", "李领", "欧办")
        await fire(chat)
        assert await chat.paged() == ["邓值", "李领", "欧办", "欧办", "郑管"]
        assert chat["郑管"].saw("无人在岗可通知", "签收")
        assert [facts["told"] for facts in await chat.logged("ladder_empty")] == [["欧办"], ["郑管"]]
        count = len(await chat.find(Letter, kind="incident_page"))
        await chat.pass_minutes(4.9)  # Until the rest between two walks is over nobody is paged again.
        assert len(await chat.find(Letter, kind="incident_page")) == count


async def test_fault_32_with_every_phone_gone_the_desk_keeps_trying_at_the_ladder_s_pace(chat: Chat) -> None:
    await unreach(chat, *(name for name in chat.phones if name != "陈村"))
    incident = await fire(chat)
    first = len(await chat.paged())
    assert first < 12
    await chat.pass_minutes(60)
    assert first < len(await chat.paged()) < 10 * first
    after = await chat.get(Incident, incident.id)
    assert after.next_step_at is not None and after.next_step_at > chat.clock.now()


async def test_after_the_last_step_the_ladder_starts_again_at_a_shorter_pace(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(10)
    ends = len(await chat.paged())
    await chat.pass_minutes(4.99)
    assert len(await chat.paged()) == ends
    await chat.pass_minutes(0.01)  # Rest of five minutes, then 0, 1.5 and 5 minutes instead of 0, 3 and 10.
    assert (await chat.paged())[ends:] == ["邓值"]
    await chat.pass_minutes(1.5)
    assert (await chat.paged())[ends:] == ["邓值", "李领"]
    await chat.pass_minutes(3.5)
    assert (await chat.paged())[ends:] == ["邓值", "李领", "欧办"]


async def test_an_unsigned_incident_is_never_dropped(chat: Chat) -> None:
    await fire(chat)
    await chat.pass_minutes(8 * 60)
    assert (await chat.incident()).next_step_at is not None
    before = len(await chat.paged())
    await chat.pass_minutes(45)
    assert len(await chat.paged()) > before


async def test_fault_29_the_signature_before_the_step_leaves_the_step_nothing_to_do(chat: Chat) -> None:
    await fire(chat)
    chat.clock.advance(minutes=3)  # The step is due and has not run.
    incident = await chat.incident()
    async with chat.door.open() as desk:
        await acknowledgements.sign(desk, incident.id, await chat.officer("邓值"))
    await chat.settle()
    await chat.pass_minutes(60)
    assert await chat.paged() == ["邓值"]


async def test_fault_29_the_step_before_the_signature_keeps_its_page_from_leaving(chat: Chat) -> None:
    await fire(chat)
    incident = await chat.incident()
    chat.clock.advance(minutes=3)
    async with chat.door.open() as desk:
        await escalations.step(desk, incident.id)
    async with chat.door.open() as desk:
        await acknowledgements.sign(desk, incident.id, await chat.officer("邓值"))
    await chat.settle()
    page = await chat.the(Letter, kind="incident_page", officer_id="o-李领")
    assert page.state is LetterState.cancelled
    assert not chat["李领"].saw("签收")


async def test_fault_29_in_one_transaction_no_page_leaves_either(chat: Chat) -> None:
    await fire(chat)
    incident = await chat.incident()
    chat.clock.advance(minutes=3)
    async with chat.desk() as desk:
        await escalations.step(desk, incident.id)
        await acknowledgements.sign(desk, incident.id, await chat.officer("邓值"))
    assert not chat["李领"].saw("签收")


async def test_fault_30_the_second_signature_is_refused_with_who_has_it(chat: Chat) -> None:
    await fire(chat)
    await sign(chat, "邓值")
    with pytest.raises(AlreadySigned) as refused:
        await sign(chat, "李领")
    assert refused.value.by == "o-邓值"
    assert len(await chat.logged("signed")) == 1


async def test_a_step_done_twice_late_or_again_pages_once(chat: Chat) -> None:
    incident = await fire(chat)
    for _ in range(5):
        async with chat.desk() as desk:
            await escalations.step(desk, incident.id)
    await chat.advance(minutes=3.5)
    for _ in range(5):
        async with chat.desk() as desk:
            await escalations.step(desk, incident.id)
    assert await chat.paged() == ["邓值", "李领"]


async def test_handed_on_it_goes_on_climbing_until_somebody_signs(chat: Chat) -> None:
    incident = await fire(chat)
    await sign(chat)
    async with chat.desk() as desk:
        await acknowledgements.hand_on(desk, incident.id, await chat.officer("邓值"), "o-马同")
    await chat.pass_minutes(4.99)
    assert await chat.paged() == ["邓值", "马同"]
    await chat.pass_minutes(10.01)
    assert await chat.paged() == ["邓值", "马同", "邓值", "李领", "欧办"]


async def test_handed_on_before_any_signature_the_ladder_climbs_on_as_it_was(chat: Chat) -> None:
    incident = await fire(chat)
    async with chat.desk() as desk:
        await acknowledgements.hand_on(desk, incident.id, await chat.officer("邓值"), "o-马同")
    await chat.pass_minutes(10)
    assert await chat.paged() == ["邓值", "马同", "李领", "欧办"]


async def test_handed_on_to_somebody_unreachable_it_climbs_now(chat: Chat) -> None:
    incident = await fire(chat)
    await sign(chat)
    await unreach(chat, "马同")
    async with chat.desk() as desk:
        await acknowledgements.hand_on(desk, incident.id, await chat.officer("邓值"), "o-马同")
    assert await chat.paged() == ["邓值", "马同", "邓值"]


async def test_handed_on_with_a_ladder_that_means_nobody_falls_back(chat: Chat) -> None:
    incident = await fire(chat)
    await sign(chat)
    await chat.roster()
    await chat.change_officer("欧办", active=False)
    async with chat.desk() as desk:
        await acknowledgements.hand_on(desk, incident.id, await chat.officer("邓值"), "o-马同")
    await chat.pass_minutes(5)
    assert (await chat.paged())[-1] == "李领"


async def test_a_village_without_a_watch_is_answered_for_by_its_township(chat: Chat) -> None:
    await chat.change_officer("陈村", unit_id="u-village")
    await fire(chat)
    await chat.pass_minutes(3)
    assert await chat.paged() == ["邓值", "李领"]


async def test_a_word_of_the_ladder_that_means_nothing_stops_no_ladder() -> None:
    odd = Ladder("错", (Step(0, ("role:nobody", "post:", "nonsense")), Step(1, ("role:office",))))
    async with open_chat(replace(POLICY, ladders=(odd,))) as chat:
        await fire(chat)
        assert await chat.paged() == ["欧办"]


async def test_a_step_may_name_channels_and_people_of_another_unit() -> None:
    ladder = Ladder("指定", (Step(0, ("post:duty_officer@东镇",), ("line",)), Step(1, ("officer:简局",))))
    async with open_chat(replace(POLICY, ladders=(ladder,))) as chat:
        await fire(chat)
        await chat.pass_minutes(1)
        assert await chat.paged() == ["郭东", "简局"]


async def test_a_reporter_who_is_the_duty_officer_is_not_paged_and_the_next_rung_is_at_once(
    chat: Chat,
) -> None:
    await chat["邓值"].say(FIRE)
    assert await chat.paged() == ["李领"]
    assert (await chat.incident()).heard_by == ("o-李领",)


async def test_a_clock_that_steps_back_skips_no_step_and_repeats_none(chat: Chat) -> None:
    await fire(chat)
    chat.clock.advance(minutes=2)
    chat.clock.advance(minutes=-2)
    incident = await chat.incident()
    async with chat.desk() as desk:
        await escalations.step(desk, incident.id)
    await chat.pass_minutes(10)
    assert await chat.paged() == ["邓值", "李领", "欧办"]


async def test_every_open_incident_always_has_a_coming_step_or_a_signature() -> None:
    """The invariant of faults.md 4, over random nights."""
    for seed in range(6):
        rng = random.Random(seed)
        async with open_chat() as chat:
            await fire(chat)
            for _ in range(25):
                await _something_happens(chat, rng)
                for incident in await chat.find(Incident, state_in=list(UNSIGNED_STATES)):
                    assert incident.next_step_at is not None, seed
                    jobs = await chat.find(Job, kind="step", ref=incident.id, parked=False)
                    assert any(job.due_at <= incident.next_step_at for job in jobs), seed
            signed_at = {one.id: one.signed_at for one in await chat.find(Incident) if one.signed_by}
            for page in await chat.find(Letter, kind="incident_page", amends=""):
                moment = signed_at.get(page.subject.partition(":")[2])
                assert moment is None or page.made_at <= moment, seed


async def _something_happens(chat: Chat, rng: random.Random) -> None:
    incident = await chat.newest()
    name = rng.choice(["邓值", "李领", "欧办", "马同"])
    match rng.randrange(6):
        case 0:
            await chat.pass_minutes(rng.uniform(0, 8))
        case 1:
            await chat.roster(*(one for one in _SHIFTS if rng.random() < 0.5))
        case 2:
            chat.line.gone ^= {f"p-{name}"}
            async with chat.desk() as desk:
                for account in await desk.store.find(Account, reachable=False):
                    await desk.store.change(account, reachable=True)
        case 3:
            await chat["陈村"].say("火势变大")
        case 4 if incident.state in UNSIGNED_STATES and rng.random() < 0.4:
            await chat[name].press_token(f"sign:{incident.id}")
        case _:
            await chat["邓值"].press_token(f"to:{incident.id}:o-{name}")


_SHIFTS = (("邓值", NORTH, "duty_officer"), ("李领", NORTH, "duty_leader"), ("简局", OFFICE, "duty_leader"))


async def test_a_level_set_by_a_person_keeps_the_frozen_ladder(chat: Chat) -> None:
    incident = await fire(chat)
    async with chat.desk() as desk:
        officer = await desk.store.get(Officer, "o-李领")
        assert officer is not None
        await correct_level(desk, incident.id, officer, Severity.serious)
    after = await chat.incident()
    assert (after.severity, after.ladder, after.state) == (Severity.serious, LADDER, State.received)


async def test_nobody_is_told_that_they_were_told(chat: Chat) -> None:
    await chat["陈村"].say(FIRE)
    await chat.pass_minutes(3)
    card = chat["李领"].card("升级到您")
    assert "已通知：邓值" in card.text and "李领" not in card.text.split("已通知")[1]
