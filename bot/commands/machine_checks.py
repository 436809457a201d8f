"""What `check` finds on this machine: the database's file, the folders, the disk, the port."""

import os
import shutil
import socket

from bot.commands.findings import Finding, Say, fault, ok, warning
from bot.config import Config
from bot.store import StoreRefused, StoreUnavailable, opening
from bot.store.migrations import head


async def check_database(config: Config, say: Say) -> Finding:
    """Whether the database opens, at which schema."""
    try:
        path = opening.place_of(config.database.url)
        found = await opening.current(config.database.url)
    except (StoreRefused, StoreUnavailable) as refusal:
        return fault("database", str(refusal))
    if found == head():
        return ok("database", say("database_ok", path=path, head=head()))
    if not config.database.auto_migrate:
        kind = "database_none" if found is None else "database_old"
        return fault("database", say(kind, path=path, found=found, head=head()))
    return ok("database", say("database_will_migrate" if found else "database_will_be_made", path=path))


def check_folders(config: Config, say: Say) -> list[Finding]:
    """Whether the desk may write where it keeps things, and has room there."""
    found: list[Finding] = []
    folders = [] if config.is_shared else [config.database_path.parent]
    for folder in dict.fromkeys([*folders, config.attachments_path]):
        there = next(one for one in (folder, *folder.parents) if one.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            found.append(fault("data", say("folder_closed", path=there)))
            continue
        usage = shutil.disk_usage(there)
        percent, least = 100 * usage.free / usage.total, config.attachments.disk_free_percent_min
        facts = {"path": folder, "free": f"{usage.free / 1e9:.1f}", "percent": f"{percent:.0f}"}
        if percent < least:
            found.append(fault("disk", say("disk_full", **facts, least=f"{least:g}")))
        else:
            found.append(ok("disk", say("disk_ok", **facts)))
    return found


def check_port(config: Config, say: Say, is_running: bool) -> Finding:
    """Whether the desk can listen where it should; a running desk does already."""
    host, port = config.web.host.strip("[]"), config.web.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if is_running:
                return ok("web", say("port_ours", host=host, port=port))
            return fault("web", say("port_taken", host=host, port=port, reason=error.strerror or error))
    if is_running:
        return warning("web", say("port_elsewhere", host=host, port=port))
    return ok("web", say("port_free", host=host, port=port))
