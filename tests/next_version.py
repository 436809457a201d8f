"""The next release of the program, as far as its schema goes: everything of today's, and one revision more.

`python -m tests.next_version FOLDER WORD…` is its command line, with that revision's files in FOLDER."""

import shutil
import sys
from pathlib import Path

from sqlalchemy import Connection

from bot.store import migrations

REVISION = f"{len(migrations.REVISIONS) + 1:04}"
# The next release's revision, as one will be written: new column, filled, new table, new index.
NEXT = f'''
"""A next revision."""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{REVISION}", "{migrations.REVISIONS[-1]}"

def upgrade():
    op.add_column("officers", sa.Column("badge", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE officers SET badge = 'badge ' || id")
    op.create_table("badges", sa.Column("id", sa.Text(), primary_key=True))
    op.execute("INSERT INTO badges SELECT badge FROM officers")
    op.create_index("ix_officers_badge", "officers", ["badge"])
'''


def write_revisions(folder: Path) -> Path:
    """Our revisions and the next one, in a folder."""
    shutil.copytree(migrations.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"v{REVISION}_next.py").write_text(NEXT, encoding="utf-8")
    return folder


def become_next(folder: Path) -> None:
    """From now on this process is the next release; before anything of the store was imported."""
    bring = migrations.bring_to_head

    def bring_to_head(connection: Connection) -> None:
        bring(connection, folder)

    migrations.REVISIONS = (*migrations.REVISIONS, REVISION)  # type: ignore[assignment]  # One longer.
    migrations.bring_to_head = bring_to_head  # type: ignore[assignment]  # As above.


if __name__ == "__main__":
    become_next(Path(sys.argv[1]))
    from bot.__main__ import main

    sys.exit(main(sys.argv[2:]))
