"""One figure, its baseline and whether its bar holds."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Result:
    """A line of `python -m bench --json`; `ratio` is value over baseline, or None without one."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    bar: str
    holds: bool
    how: str

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def as_text(self) -> str:
        """One line for people."""
        ratio = "" if self.ratio is None else f"  {self.ratio:.3f} of {self.baseline:,.0f}"
        mark = "holds" if self.holds else "DOES NOT HOLD"
        return (
            f"{self.name:18} {self.value:12,.2f} {self.unit:10}{ratio}  bar {self.bar}: {mark}  ({self.how})"
        )
