"""绑定: a code ties one phone to one person, once; whoever is nobody hears one polite sentence."""

from desk.enrolment import digest
from desk.model import Setting
from roster.model import Account, Invite
from tests.handlers.chat import Chat


async def account_at(chat: Chat, address: str) -> list[Account]:
    return await chat.find(Account, address=address)


async def test_a_code_binds_the_phone_and_the_person_is_greeted_by_name(chat: Chat) -> None:
    phone = chat.stranger("new")
    await phone.start(await chat.invite("马同"))
    assert phone.saw("马同", "绑定成功")
    assert [one.officer_id for one in await account_at(chat, "new")] == ["o-马同"]
    await phone.say("状态")
    assert phone.saw("在岗")


async def test_a_code_may_be_typed(chat: Chat) -> None:
    phone = chat.stranger("new")
    await phone.say(f"绑定 {await chat.invite('马同')}")
    assert phone.saw("绑定成功")


async def test_only_the_digest_of_a_code_is_kept(chat: Chat) -> None:
    code = await chat.invite("马同")
    assert len(code) == 22
    kept = await chat.the(Invite)
    assert kept.id == digest(code)
    assert code not in repr(kept)


async def test_a_used_code_binds_nobody_else(chat: Chat) -> None:
    code = await chat.invite("马同")
    await chat.stranger("first").start(code)
    await chat.stranger("second").start(code)
    assert chat.stranger("second").saw("绑定码无效或已过期")
    assert await account_at(chat, "second") == []


async def test_input_26_of_two_phones_at_once_exactly_one_wins_and_both_are_logged(chat: Chat) -> None:
    code = await chat.invite("马同")
    first, second = chat.stranger("first"), chat.stranger("second")
    await first.hand_in(first.message("start", code), second.message("start", code))
    await chat.settle()
    assert [phone.saw("绑定成功") for phone in (first, second)] == [True, False]
    assert second.saw("绑定码无效或已过期")
    assert len(await chat.logged("enrolled")) == 1
    assert len(await chat.logged("enrolment_refused")) == 1


async def test_the_same_phone_pressing_its_link_twice_is_not_frightened(chat: Chat) -> None:
    code, phone = await chat.invite("马同"), chat.stranger("new")
    await phone.start(code)
    await phone.start(code)
    assert [text for text in phone.texts if "无效" in text] == []
    assert len(await chat.logged("enrolled")) == 1


async def test_input_27_expired_foreign_and_cut_codes_all_read_the_same(chat: Chat) -> None:
    code = await chat.invite("马同")
    chat.clock.advance(hours=24, seconds=1)
    answers = []
    for number, tried in enumerate([code, "x" * 22, code[:-1], code + "a" * 43, "短"]):
        phone = chat.stranger(f"s{number}")
        await phone.start(tried)
        answers.append(phone.texts)
    assert all(texts == answers[0] for texts in answers)
    assert len(answers[0]) == 1
    assert await chat.logged("enrolled") == []


async def test_a_code_is_good_to_its_very_last_moment(chat: Chat) -> None:
    code = await chat.invite("马同")
    chat.clock.advance(hours=24, milliseconds=-1)
    await chat.stranger("new").start(code)
    assert chat.stranger("new").saw("绑定成功")


async def test_input_27_guessing_is_locked_after_five_an_hour_even_for_a_true_code(chat: Chat) -> None:
    phone = chat.stranger("guesser")
    for number in range(5):
        await phone.start(f"{number:022d}")
    await phone.start(await chat.invite("马同"))
    assert phone.saw("试的次数太多")
    assert await account_at(chat, "guesser") == []
    await chat.advance(minutes=61)
    await phone.start(await chat.invite("马同"))
    assert phone.saw("绑定成功")


async def test_input_28_a_code_pressed_inside_a_group_is_burned(chat: Chat) -> None:
    code = await chat.invite("马同")
    await chat.stranger("group").start(code, private=False)
    assert chat.stranger("group").saw("绑定码不能在群里用")
    await chat.stranger("new").start(code)
    assert not chat.stranger("new").saw("绑定成功")
    assert len(await chat.logged("invite_burned")) == 1


async def test_a_used_code_shown_in_a_group_keeps_the_name_of_who_used_it(chat: Chat) -> None:
    code = await chat.invite("马同")
    await chat.stranger("new").start(code)
    await chat.stranger("group").start(code, private=False)
    assert (await chat.the(Invite)).used_by == "line:new"


async def test_input_29_a_new_phone_is_told_to_the_old_one_and_to_the_leader(chat: Chat) -> None:
    await chat.stranger("new").start(await chat.invite("邓值"))
    assert chat["邓值"].saw("已换到另一部手机")
    assert chat["李领"].saw("邓值", "换绑")
    reachable = {one.address: one.reachable for one in await chat.find(Account, officer_id="o-邓值")}
    assert reachable == {"p-邓值": False, "new": True}
    await chat["邓值"].say("状态")  # The old phone is nobody's now.
    assert chat["邓值"].saw("您还没有登记")


async def test_binding_the_same_phone_again_alarms_nobody(chat: Chat) -> None:
    await chat["邓值"].start(await chat.invite("邓值"))
    assert chat["邓值"].saw("绑定成功")
    assert chat["李领"].shown == []


async def test_a_first_binding_alarms_nobody(chat: Chat) -> None:
    async with chat.desk() as desk:
        await desk.store.remove(Account, ["a-邓值"])
    await chat.stranger("new").start(await chat.invite("邓值"))
    assert chat["李领"].shown == []


async def test_a_phone_that_changes_hands_is_told_to_the_leader_of_its_former_owner(chat: Chat) -> None:
    await chat["郭东"].start(await chat.invite("马同"))
    assert [one.officer_id for one in await account_at(chat, "p-郭东")] == ["o-马同"]
    assert chat["何东"].saw("联系不上", "郭东")


async def test_a_leader_who_moves_is_told_to_who_leads_the_watch(chat: Chat) -> None:
    await chat.stranger("new").start(await chat.invite("李领"))
    assert chat["简局"].saw("李领", "换绑")


async def test_a_stranger_gets_one_polite_sentence_an_hour_and_is_written_down(chat: Chat) -> None:
    phone = chat.stranger()
    for text in ("你好", "着火了", "/start", "绑定"):
        await phone.say(text)
    await phone.photo()
    assert len(phone.shown) == 1
    assert phone.saw("您还没有登记", "119")
    assert "着火了" in [facts["text"] for facts in await chat.logged("stranger_wrote")]
    await chat.advance(minutes=60.1)
    await phone.say("在吗")
    assert len(phone.shown) == 2


async def test_input_30_a_former_officer_is_treated_as_a_stranger(chat: Chat) -> None:
    await chat.change_officer("陈村", active=False)
    await chat["陈村"].say("五金厂起火")
    assert chat["陈村"].saw("您还没有登记")
    await chat["陈村"].say("状态")
    assert len(chat["陈村"].shown) == 1


async def test_a_code_made_for_somebody_who_left_since_binds_nobody(chat: Chat) -> None:
    code = await chat.invite("马同")
    await chat.change_officer("马同", active=False)
    await chat.stranger("new").start(code)
    assert chat.stranger("new").saw("绑定码无效或已过期")


async def test_somebody_bound_already_is_greeted_by_a_bare_start(chat: Chat) -> None:
    await chat["陈村"].start("")
    assert chat["陈村"].saw("陈村", "您已绑定")


async def test_attempts_are_counted_in_the_store_and_not_in_memory(chat: Chat) -> None:
    await chat.stranger("guesser").start("x" * 22)
    assert (await chat.get(Setting, "start/line/guesser")).value.startswith("1 ")
