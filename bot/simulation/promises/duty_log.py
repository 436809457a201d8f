"""The duty log is one unbroken chain."""

import json

from bot.simulation.scene import Scene, moment
from bot.store.chain import Verification
from incidents.model import LogLine


class DutyLog:
    """Each line as it comes."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._verification = Verification()

    def look(self) -> None:
        """The new lines continue the old."""
        count = 0
        for row in self._scene.rows.new("duty_log", "duty_log"):
            at = moment(row["at"])
            assert at is not None
            facts = json.loads(row["facts"])
            self._verification.read(
                LogLine(
                    row["sequence"],
                    at,
                    row["kind"],
                    row["subject"],
                    row["actor"],
                    facts,
                    row["previous"],
                    row["hash"],
                )
            )
            count += 1
        for fault in self._verification.faults:
            self._scene.ledger.breach("log_is_whole", f"line {fault.sequence} is {fault.fault}")
        self._scene.ledger.keep("log_is_whole", count)

    def end(self) -> None:
        """Nothing more."""


def make(scene: Scene) -> DutyLog:
    """The watcher."""
    return DutyLog(scene)
