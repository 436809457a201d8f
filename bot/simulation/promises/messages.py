"""Nobody is told a thing twice without its mark; what counts as sent stands on a phone; what is owed leaves in time."""

import json
from collections import Counter
from datetime import timedelta

from bot.simulation.messages import Shown
from bot.simulation.scene import Scene

LATE_BY = timedelta(seconds=120)
FINAL = ("sent", "unknown", "failed", "cancelled")
SETTLED = timedelta(minutes=2)


class Messages:
    """The way out."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._owed: Counter[tuple[object, ...]] = Counter()
        self._checked = 0

    def look(self) -> None:
        """New copies on phones, new letters, and what is due."""
        world = self._scene.world
        for shown in world.shown[self._checked :]:
            self._is_single(shown)
        self._checked = len(world.shown)
        kinds = "AND amends = '' AND choices <> '[]' AND kind IN ('incident_page', 'roll_call_question')"
        for row in self._scene.rows.new("letters", "messages", kinds):
            facts = json.loads(row["facts"])
            if facts.get("by"):  # One and the same person may be handed it again.
                continue
            step = tuple(facts.get(name) for name in ("walk", "step", "fallback"))
            key = (row["kind"], row["subject"], row["officer_id"], *step)
            self._owed[key] += 1
            self._scene.check(
                "each_step_tells_once", self._owed[key] == 1, f"{key} is owed {self._owed[key]} times"
            )
        self._punctual()

    def _is_single(self, shown: Shown) -> None:
        platform = self._scene.world.platforms[shown.phone.channel]
        copies = platform.by_key[shown.phone.address, shown.key]
        unlabelled = sum(not one.is_labelled for one in copies)
        found = (
            f"{shown.phone.channel} {shown.phone.address} shows {unlabelled} unmarked copies of {shown.key}"
        )
        self._scene.check("repeats_are_marked", unlabelled <= 1, found)

    def _punctual(self) -> None:
        """While the desk serves, nothing that is due waits."""
        now = self._scene.office.clock.now()
        if self._scene.office.served_for < LATE_BY.total_seconds():
            return
        row = self._scene.rows.one(
            "SELECT kind, ref, due_at FROM jobs WHERE NOT parked ORDER BY due_at LIMIT 1"
        )
        if row is not None and row["due_at"] < (now - LATE_BY).isoformat(timespec="microseconds"):
            self._scene.ledger.breach(
                "due_is_done", f"{row['kind']} {row['ref']} is due since {row['due_at']}"
            )
        else:
            self._scene.ledger.keep("due_is_done")

    def end(self) -> None:
        """Every letter has its end, and what is called sent was shown."""
        world, rows = self._scene.world, self._scene.rows
        old = (self._scene.office.clock.now() - SETTLED).isoformat(timespec="microseconds")
        shown = {one.remote_id for one in world.shown}
        # Each unknown outcome allows one more copy. Where repeats are hidden none is counted, and one copy shows.
        labelled = Counter(one.key for one in world.shown if one.is_labelled)
        hiding = Counter(
            key
            for key, channel in {(one.key, one.phone.channel) for one in world.shown if one.is_labelled}
            if world.platforms[channel].limits.hides_repeats
        )
        for row in rows.all(
            "SELECT id, kind, state, amends, unknowns, officer_id, reason, made_at, remote_id FROM letters"
        ):
            if row["made_at"] < old:
                is_final = row["state"] in FINAL
                found = f"{row['kind']} {row['id']} is {row['state']}: {row['reason']}"
                self._scene.check("letters_end", is_final, found)
            if row["state"] == "sent" and not row["amends"]:
                self._scene.check(
                    "sent_is_shown", row["remote_id"] in shown, f"{row['kind']} {row['id']} never arrived"
                )
            if row["state"] == "failed" and row["officer_id"]:
                self._scene.ledger.count("letters_failed")
            copies, allowed = labelled[row["id"]], row["unknowns"] + hiding[row["id"]]
            if copies:
                found = f"{row['id']} has {copies} marked copies, {allowed} are allowed"
                self._scene.check("repeats_are_marked", copies <= allowed, found)


def make(scene: Scene) -> Messages:
    """The watcher."""
    return Messages(scene)
