"""Who is on watch is found without reading the watches of years."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Indexes only: a program of the version before works on with them."""
    op.create_index("ix_shifts_ends", "shifts", ["ends_at"])
    op.create_index("ix_shifts_unit_ends", "shifts", ["unit_id", "ends_at"])
