"""Orders a test gives to a fake platform: which of the next calls meets which fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar


class Order(Protocol):
    """What every order has: how often it counts, and after how many calls that go well."""

    times: int
    after: int


Given = TypeVar("Given", bound=Order)


def due(orders: list[Given], is_meant: Callable[[Given], bool]) -> Given | None:
    """Return the order that counts for this call and use it up; nothing when there is none."""
    for order in orders:
        if not is_meant(order):
            continue
        if order.after > 0:
            order.after -= 1
            continue
        order.times -= 1
        if order.times <= 0:
            orders.remove(order)
        return order
    return None
