"""The engine of the work queue that goes with a database: embedded in one process, or shared by many."""

from bot.queue.embedded import EmbeddedQueue
from bot.queue.picking import Bounds
from bot.store.opening import is_shared
from desk.ports import Clock, Transactions


def open_queue(
    url: str, transactions: Transactions, clock: Clock, bounds: Bounds | None = None
) -> EmbeddedQueue:
    """The queue, which does not run yet."""
    if not is_shared(url):
        return EmbeddedQueue(transactions, clock, bounds)
    from bot.queue.procrastinate import ProcrastinateQueue  # Here, because SQLite needs nothing of it.

    return ProcrastinateQueue(transactions, clock, url, bounds)
