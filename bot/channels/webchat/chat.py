"""The lines on a phone's screen: what the person wrote, what we showed or amended, what was read."""

from collections.abc import Sequence
from typing import Any

from bot.channels.webchat.events import PhoneEvent
from bot.channels.webchat.links import Holder
from bot.channels.webchat.uploads import claim
from desk.model import Card, ChatMessage, Rendered
from desk.ports import Desk, Store

PAGE_MESSAGES = 40


async def write_theirs(desk: Desk, holder: Holder, event: PhoneEvent) -> tuple[ChatMessage, bool]:
    """The person's own line and whether it is new; the same event never makes a second one."""
    written = await desk.store.find(ChatMessage, address=holder.address, event_id=event.event_id)
    if written:
        return written[0], False
    files = await claim(desk, holder.address, event.files)
    text = event.text
    choices: tuple[tuple[str, str], ...] = ()
    if event.kind == "choice":
        text = await _label(desk.store, holder.address, event)
        choices = ((text, event.token),)
    sequence = await desk.store.next_sequence(_counter(holder.address))
    message = ChatMessage(
        id=message_id(holder.address, sequence),
        address=holder.address,
        sequence=sequence,
        mine=True,
        at=desk.now,
        text=text,
        choices=choices,
        files=files,
        place=event.place,
        event_id=event.event_id,
    )
    await desk.store.add(message)
    return message, True


async def write_ours(desk: Desk, addresses: Sequence[str], rendered: Rendered, key: str) -> dict[str, str]:
    """Show a message on these phones, once per key; returns each phone's message id."""
    event_id = f"key:{key}"  # A phone's own ids hold no colon, so it can never take one of ours.
    shown = await desk.store.find(ChatMessage, address_in=list(addresses), event_id=event_id)
    ids = {message.address: message.id for message in shown}
    new = []
    for address in addresses:
        if address in ids:
            continue
        sequence = await desk.store.next_sequence(_counter(address))
        ids[address] = message_id(address, sequence)
        new.append(
            ChatMessage(
                id=ids[address],
                address=address,
                sequence=sequence,
                mine=False,
                at=desk.now,
                text=rendered.text,
                choices=rendered.choices,
                asks_place=rendered.asks_place,
                event_id=event_id,
            )
        )
    if new:
        await desk.store.add(*new)
    return ids


async def amend(desk: Desk, card: Card, rendered: Rendered) -> bool:
    """Change a message where it stands; False when this phone never showed it."""
    message = await desk.store.get(ChatMessage, card.remote_id)
    if message is None or message.address != card.address or message.mine:
        return False
    changes = {"text": rendered.text, "choices": rendered.choices, "asks_place": rendered.asks_place}
    if any(getattr(message, name) != value for name, value in changes.items()):
        sequence = await desk.store.next_sequence(_counter(card.address))
        await desk.store.change(message, sequence=sequence, **changes)
    return True


async def mark_read(desk: Desk, address: str, up_to: str) -> int:
    """Note that the person has our messages up to this one on the screen; returns how many are newly read."""
    unread = await desk.store.find(
        ChatMessage, address=address, mine=False, read_at=None, order=("id",), limit=200
    )
    seen = [message for message in unread if message.id <= up_to]
    for message in seen:
        await desk.store.change(message, read_at=desk.now)
    return len(seen)


async def changed_since(store: Store, address: str, sequence: int, limit: int) -> list[ChatMessage]:
    """What is new or amended on this phone since a point of its stream, in stream order."""
    return await store.find(
        ChatMessage, address=address, sequence_from=sequence + 1, order=("sequence",), limit=limit
    )


async def page(store: Store, address: str, before: str) -> tuple[list[ChatMessage], bool, int]:
    """A page of lines, oldest first, whether there are older ones, and where the stream goes on from."""
    criteria = {"id_to": before} if before else {}
    found = await store.find(
        ChatMessage, address=address, order=("-id",), limit=PAGE_MESSAGES + 2, **criteria
    )
    older = [message for message in found if message.id != before]
    newest = await store.find(ChatMessage, address=address, order=("-sequence",), limit=1)
    messages = older[:PAGE_MESSAGES]
    return messages[::-1], len(older) > PAGE_MESSAGES, newest[0].sequence if newest else 0


def view(message: ChatMessage) -> dict[str, Any]:
    """A line as the phone page gets it."""
    place = message.place
    return {
        "id": message.id,
        "sequence": message.sequence,
        "mine": message.mine,
        "at": message.at.isoformat(),
        "text": message.text,
        "choices": [{"label": label, "token": token} for label, token in message.choices],
        "asks_place": message.asks_place,
        "place": place
        and {"lat": place.lat, "lon": place.lon, "text": place.text, "accuracy": place.accuracy_metres},
        "files": [
            {
                "kind": file.kind,
                "name": file.file_name,
                "mime": file.mime,
                "bytes": file.bytes_count,
                "digest": file.digest,
                "shown": file.remote_id,
            }
            for file in message.files
        ],
        "event_id": message.event_id if message.mine else "",
    }


def message_id(address: str, sequence: int) -> str:
    """An id that sorts as the lines stand on the screen, whatever the clock did."""
    return f"{address}.{sequence:010d}"


async def _label(store: Store, address: str, event: PhoneEvent) -> str:
    """What the pressed button said; the phone's own word for it when the card was amended meanwhile."""
    card = await store.get(ChatMessage, event.reply_to)
    if card is not None and card.address == address:
        for label, token in card.choices:
            if token == event.token:
                return label
    return event.text or event.verb


def _counter(address: str) -> str:
    return f"webchat/{address}"
