"""Letters of equal words leave together."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the table of mailings; letters that wait go on one by one."""
    op.create_table(
        "mailings",
        sa.Column("id", _TEXT, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("letters", _TEXT, nullable=False),
        sa.Column("lane", _TEXT, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("to", _TEXT, nullable=False),
        sa.Column("words", _TEXT, nullable=True),
        sa.Column("left_at", _TEXT, nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
