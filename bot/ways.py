"""Which way a letter goes: the card it changes, the address it names, else its reader's accounts in their order."""

from collections import defaultdict
from collections.abc import Container, Sequence

from bot.delivery import OTHER_WAY_AFTER_ATTEMPTS, UNKNOWNS_MAX_PAGE
from desk.model import Letter
from desk.ports import Store
from roster.model import Account


def way_for(letter: Letter, accounts: Sequence[Account], channels: Container[str]) -> Account | None:
    """The account a letter is sent to now; None when no way is left.

    `accounts` are its reader's reachable ones, the best first. An address that is theirs no more is never used: by now
    it may be somebody else's. An account without an officer stands for an address nobody is bound to."""
    own_chat = [_bare(letter, letter.channel, letter.address)]
    ways = [
        one
        for one in (_ways_to_officer(letter, accounts) if letter.officer_id else own_chat)
        if one.channel in channels and mark(one.channel, one.address) not in letter.tried
    ]
    last = _place_of_last(letter, ways)
    if last is None:
        return ways[0] if ways else None
    # A way that fails for now is left after a few attempts, and comes round again.
    return ways[(last + _turns(letter)) % len(ways)]


async def accounts_of(store: Store, letters: Sequence[Letter]) -> dict[str, list[Account]]:
    """The reachable accounts of these letters' readers, the best first; none for who has none."""
    officers = list({letter.officer_id for letter in letters if letter.officer_id})
    accounts: dict[str, list[Account]] = defaultdict(list)
    for account in await store.find(Account, officer_id_in=officers, reachable=True, order=("rank", "id")):
        accounts[account.officer_id].append(account)
    return accounts


def mark(channel: str, address: str) -> str:
    """A way as `Letter.tried` and `Letter.channels` name it."""
    return f"{channel}:{address}"


def _ways_to_officer(letter: Letter, accounts: Sequence[Account]) -> Sequence[Account]:
    if letter.amends:  # A card stands where it stands.
        return [one for one in accounts if (one.channel, one.address) == (letter.channel, letter.address)]
    if not letter.channels:
        return accounts
    by_mark = {mark(one.channel, one.address): one for one in accounts}
    named = [
        by_mark.get(word) or _bare(letter, *word.split(":", 1)) for word in letter.channels if ":" in word
    ]
    allowed = [one for one in accounts if one.channel in letter.channels]
    return [*named, *allowed]


def _bare(letter: Letter, channel: str, address: str) -> Account:
    return Account("", "", channel, address, letter.made_at)


def _place_of_last(letter: Letter, ways: Sequence[Account]) -> int | None:
    """Where the chat it answers, or was last tried at, stands among the ways."""
    here = (letter.channel, letter.address)
    return next((place for place, one in enumerate(ways) if (one.channel, one.address) == here), None)


def _turns(letter: Letter) -> bool:
    """Whether the way of the last attempt was given its chances."""
    if not letter.attempts:
        return False
    return letter.attempts % OTHER_WAY_AFTER_ATTEMPTS == 0 or letter.unknowns >= UNKNOWNS_MAX_PAGE
