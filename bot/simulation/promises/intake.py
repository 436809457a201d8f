"""What was confirmed is kept; what was kept is heard; what was reported is found again."""

import re
from collections import Counter

from bot.simulation.messages import Said
from bot.simulation.scene import Scene

TOKEN = re.compile(r"T\d{5,}号")


class Intake:
    """The way in."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._found: Counter[str] = Counter()
        self._checked = 0

    def look(self) -> None:
        """Each event that was confirmed since is a row; each open draft goes out by itself one day."""
        rows, world = self._scene.rows, self._scene.world
        for said in world.confirmed[self._checked :]:
            is_kept = rows.one("SELECT 1 FROM inbox WHERE id = ?", said.key) is not None
            self._scene.check(
                "confirmed_is_kept", is_kept, f"{said.key} was confirmed and is not in the inbox"
            )
        self._checked = len(world.confirmed)
        for row in rows.new("reports", "intake"):
            self._found.update(TOKEN.findall(row["text"]))
        for row in rows.all(
            "SELECT id FROM drafts WHERE state = 'open' AND NOT EXISTS"
            " (SELECT 1 FROM jobs WHERE kind = 'draft' AND ref = drafts.id AND NOT parked)"
        ):
            self._scene.ledger.breach("reports_go_out", f"draft {row['id']} is open and nothing will send it")
        for row in rows.all("SELECT kind, ref, error FROM jobs WHERE parked"):
            self._scene.ledger.breach("nothing_is_parked", f"{row['kind']} {row['ref']}: {row['error']}")

    def end(self) -> None:
        """Everything confirmed was heard, and each mark stands in one place."""
        rows, scene = self._scene.rows, self._scene
        for row in rows.all("SELECT id, state, error FROM inbox"):
            heard = row["state"] == "heard"
            scene.check("kept_is_heard", heard, f"{row['id']} is {row['state']}: {row['error']}")
        said = {one.key for one in scene.world.said}
        for row in rows.all("SELECT id FROM inbox"):
            if row["id"] not in said:
                scene.ledger.breach("confirmed_is_kept", f"{row['id']} is in the inbox and nobody said it")
        for table in ("drafts", "answers"):
            where = "WHERE state <> 'sent'" if table == "drafts" else "WHERE text LIKE '%号%'"
            for row in rows.all(f"SELECT text FROM {table} {where}"):  # noqa: S608  # Our own words.
                self._found.update(TOKEN.findall(row["text"]))
        self._outcomes()
        for token, one in scene.world.claims.words.items():
            if one.confirmed_at is not None:
                self._is_found(token, one)
        for file_id, one in scene.world.claims.photos.items():
            if one.confirmed_at is not None:
                self._is_fetched(file_id, one)

    def _outcomes(self) -> None:
        """Words said right after the desk asked for an outcome are the outcome."""
        for row in self._scene.rows.all(
            "SELECT facts FROM duty_log WHERE kind = 'signed' AND facts LIKE '%note%'"
        ):
            self._found.update(TOKEN.findall(row["facts"]))

    def _is_found(self, token: str, said: Said) -> None:
        count = self._found[token]
        self._scene.check("reports_are_kept", count == 1, f"{token} ({said.key}) is kept {count} times")

    def _is_fetched(self, file_id: str, said: Said) -> None:
        found = self._scene.rows.all(
            "SELECT state, fault FROM attachments WHERE remote_id = ? AND channel = ?",
            file_id,
            said.phone.channel,
        )
        states = [row["state"] for row in found]
        self._scene.check(
            "photos_are_fetched", states == ["stored"], f"photo {file_id} ({said.key}): {states}"
        )


def make(scene: Scene) -> Intake:
    """The watcher."""
    return Intake(scene)
