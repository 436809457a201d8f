"""Who is meant by a ladder's word here and now, and ids that sort as they were made."""

from datetime import timedelta

import pytest

from desk import recipients
from desk.ids import after, fresh, ulid, written
from roster.model import Officer, Role, Shift
from tests.handlers.chat import NIGHT, NORTH, Chat


async def meant(chat: Chat, word: str, unit: str = "u-north") -> list[str]:
    async with chat.desk() as desk:
        return sorted(one.name for one in await recipients.resolve(desk, word, unit))


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("post:duty_officer", ["邓值"]),
        ("post:duty_leader", ["李领"]),
        ("post:nobody", []),
        ("post:duty_officer@东镇", ["郭东"]),
        ("post:duty_officer@没有", []),
        ("role:duty", ["邓值", "贝备", "马同"]),
        ("role:leader", ["李领"]),
        ("role:office", ["欧办"]),
        ("role:admin", ["郑管"]),
        ("role:unknown", []),
        ("officer:马同", ["马同"]),
        ("officer:o-马同", ["马同"]),
        ("officer:没有", []),
        ("", []),
        (":", []),
        ("everybody", []),
    ],
)
async def test_a_word_means_those_people(chat: Chat, word: str, names: list[str]) -> None:
    assert await meant(chat, word) == sorted(names)


async def test_who_has_left_is_never_meant(chat: Chat) -> None:
    await chat.change_officer("邓值", active=False)
    for word in ("post:duty_officer", "officer:邓值"):
        assert await meant(chat, word) == []
    assert await meant(chat, "role:duty") == ["贝备", "马同"]


async def test_two_people_of_one_name_are_both_meant(chat: Chat) -> None:
    async with chat.desk() as desk:
        await desk.store.add(Officer("o-二", "马同", "u-east"))
    assert await meant(chat, "officer:马同") == ["马同", "马同"]


async def test_a_post_held_by_two_means_both_and_each_once(chat: Chat) -> None:
    await chat.roster(("邓值", NORTH, "duty_officer"), ("马同", NORTH, "duty_officer"))
    async with chat.desk() as desk:
        ends = NIGHT + timedelta(hours=1)
        await desk.store.add(Shift("again", "u-north", "duty_officer", "o-邓值", NIGHT, ends))
    assert await meant(chat, "post:duty_officer") == ["邓值", "马同"]


@pytest.mark.parametrize("word", ["post:duty_officer", "role:leader"])
async def test_a_village_answers_to_its_township(chat: Chat, word: str) -> None:
    assert await meant(chat, word, "u-village") == await meant(chat, word, "u-north")


async def test_a_village_with_a_leader_of_its_own_means_that_one(chat: Chat) -> None:
    async with chat.desk() as desk:
        await desk.store.add(Officer("o-书记", "村书记", "u-village", role=Role.leader))
    assert await meant(chat, "role:leader", "u-village") == ["村书记"]


async def test_a_township_never_answers_to_the_office(chat: Chat) -> None:
    await chat.roster()
    assert await meant(chat, "post:duty_leader") == []


async def test_the_office_is_where_the_office_s_people_are_and_not_its_administrator(chat: Chat) -> None:
    await chat.change_officer("郑管", unit_id="u-east")
    async with chat.desk() as desk:
        assert await recipients.office_unit(desk) == "u-office"


async def test_somebody_always_leads_the_watch_while_anybody_is_left(chat: Chat) -> None:
    expected = ["简局", "欧办", "简局", "郑管"]
    for name in expected:
        async with chat.desk() as desk:
            leading = await recipients.duty_leaders(desk)
        assert [one.name for one in leading] == [name]
        if name == "简局" and await meant(chat, "post:duty_leader", "u-office"):
            await chat.roster()
        else:
            await chat.change_officer(name, active=False)


async def test_ids_of_one_transaction_sort_as_they_were_made(chat: Chat) -> None:
    async with chat.desk() as desk:
        made = [desk.new_id() for _ in range(1000)]
    assert made == sorted(made) and len(set(made)) == 1000
    assert {len(one) for one in made} == {26}


def test_ids_sort_by_their_millisecond() -> None:
    assert ulid(NIGHT) < ulid(NIGHT + timedelta(milliseconds=1))


def test_one_id_does_not_give_away_the_next() -> None:
    first = fresh(NIGHT)
    steps = {after(first, NIGHT) - first for _ in range(50)}
    assert len(steps) == 50 and min(steps) > 2**20
    assert written(first)[:10] == written(after(first, NIGHT))[:10]
