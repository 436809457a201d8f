"""Letters of equal words leave together."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table of mailings; letters that wait go on one by one."""
    op.create_table(
        "mailings",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False, autoincrement=False),
        sa.Column("letters", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("left_at", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
