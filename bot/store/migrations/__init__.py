"""The schema's revisions, and the way from any of them to the newest."""

from pathlib import Path

from sqlalchemy import Connection

REVISIONS = ("0001", "0002", "0003")  # In their order.
FOLDER = Path(__file__).parent


def head() -> str:
    """The newest revision, which this program works with."""
    return REVISIONS[-1]


def bring_to_head(connection: Connection, folder: Path = FOLDER) -> None:
    """Runs the revisions that are missing, inside the connection's open transaction."""
    from alembic import (
        command,
    )  # Here, because no start but the first needs it and it takes a quarter second.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
