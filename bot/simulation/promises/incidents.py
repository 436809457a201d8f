"""Every incident is climbing, signed for or ended; nobody is paged once somebody has signed; numbers have no gaps."""

from collections import defaultdict

from bot.simulation.scene import Scene

PAGING = ("paged", "escalated", "ladder_empty")
ENDING = ("closed", "merged")


class Incidents:
    """From the report to its end."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._held: dict[str, int] = {}  # Signed incidents, by the line of their signature.
        self._numbers: dict[str, list[int]] = defaultdict(list)
        self._signers: dict[str, list[str]] = defaultdict(list)
        last = scene.rows.one("SELECT max(sequence) AS last FROM duty_log")
        self._past = (
            last["last"] if last is not None and last["last"] else 0
        )  # What the town tells of its past.

    def look(self) -> None:
        """Read the new lines of the log, and whether anything open waits for nothing."""
        for line in self._scene.rows.new("duty_log", "incidents", "AND subject LIKE 'incident:%'"):
            if line["sequence"] > self._past:
                self._read(line["sequence"], line["kind"], line["subject"], line["actor"])
        for row in self._scene.rows.new("incidents", "incidents"):
            day, _, number = row["number"].rpartition("-")
            self._numbers[day].append(int(number))
        self._open_ones_move()

    def _read(self, sequence: int, kind: str, subject: str, actor: str) -> None:
        check = self._scene.check
        if kind == "signed":
            twice = subject in self._held
            check(
                "signed_once", not twice, f"{subject} was signed at {self._held.get(subject)} and {sequence}"
            )
            self._held[subject] = sequence
            self._signers[subject].append(actor)
        elif kind == "handed_on":
            self._held.pop(subject, None)
        elif kind in ENDING:
            self._held[subject] = sequence
        elif kind in PAGING:
            held = self._held.get(subject)
            check(
                "no_page_after_signature",
                held is None,
                f"{subject} was {kind} at {sequence}, held since {held}",
            )

    def _open_ones_move(self) -> None:
        for row in self._scene.rows.all(
            "SELECT number, state, next_step_at, follow_up_by,"
            " EXISTS (SELECT 1 FROM jobs WHERE kind = 'step' AND ref = incidents.id AND NOT parked) AS climbs,"
            " EXISTS (SELECT 1 FROM jobs WHERE kind = 'clock' AND ref = incidents.id AND NOT parked) AS ticks"
            " FROM incidents WHERE state IN ('received', 'handed_on', 'verifying')"
        ):
            if row["state"] == "verifying":
                now = self._scene.office.clock.now().isoformat()
                moves = row["ticks"] or row["follow_up_by"] is None or row["follow_up_by"] <= now
            else:
                moves = row["climbs"] and row["next_step_at"] is not None
            self._scene.check(
                "open_incidents_move", bool(moves), f"{row['number']} is {row['state']} and waits for nothing"
            )

    def end(self) -> None:
        """Numbers run on without gap or double; each signature the desk took was somebody's."""
        for day, numbers in self._numbers.items():
            whole = sorted(numbers) == list(range(1, len(numbers) + 1))
            self._scene.check("numbers_have_no_gap", whole, f"the numbers of {day} are {sorted(numbers)}")
        pressed = defaultdict(set)
        for said, incident in self._scene.world.claims.signed:
            if said.phone.officer is not None:
                pressed[f"incident:{incident}"].add(said.phone.officer.id)
        for subject, signers in self._signers.items():
            strangers = set(signers) - pressed[subject]
            self._scene.check(
                "signed_once", not strangers, f"{subject} was signed by {strangers}, who never did"
            )
        self._signatures_count(pressed)
        for row in self._scene.rows.all("SELECT id, number, reports_count FROM incidents"):
            told = [
                one["sequence"]
                for one in self._scene.rows.all(
                    "SELECT sequence FROM reports WHERE incident_id = ? ORDER BY sequence", row["id"]
                )
            ]
            whole = told == list(range(1, row["reports_count"] + 1))
            self._scene.check("numbers_have_no_gap", whole, f"{row['number']} has the reports {told}")

    def _signatures_count(self, pressed: dict[str, set[str]]) -> None:
        """Whoever's signature was confirmed: the incident is held, by them or by who was first."""
        confirmed = {incident for said, incident in self._scene.world.claims.signed if said.confirmed_at}
        for incident in sorted(confirmed):
            row = self._scene.rows.one(
                "SELECT number, state, signed_by FROM incidents WHERE id = ?", incident
            )
            held = row is not None and (
                row["signed_by"] != "" or row["state"] in ("handed_on", "closed", "unfounded")
            )
            self._scene.check(
                "signatures_count", held, f"{incident} was signed for and is {dict(row) if row else None}"
            )


def make(scene: Scene) -> Incidents:
    """The watcher."""
    return Incidents(scene)
