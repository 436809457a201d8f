"""Hands out what came with reports: a photo as a re-encoded copy, an original only as a logged download."""

import asyncio
import re
import sys
from pathlib import Path
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from desk.permissions import Action, may
from desk.ports import Store
from incidents.model import Attachment, AttachmentState, Incident
from web.incident_list import sees
from web.screen import Screen
from web.sessions import Viewer

COPY_SECONDS_MAX = 20
COPIES_AT_ONCE = 2
_DIGEST = re.compile(r"[0-9a-f]{64}")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cache-Control": "private, max-age=86400",
    "X-Content-Type-Options": "nosniff",
}


def make_routes(screen: Screen) -> list[BaseRoute]:
    """The attachments' addresses."""
    pages = AttachmentPages(screen)
    return [
        Route("/attachments/{digest}", screen.viewed(pages.original)),
        Route("/attachments/{digest}/copy", screen.viewed(pages.copy)),
    ]


class FolderMedia:
    """Reads bytes by digest from a folder, flat or in folders named by the first two characters."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    async def keep(self, pieces: object, bytes_max: int) -> tuple[str, int]:
        """The screen stores nothing."""
        raise PermissionError("the screen only reads attachments")

    def path(self, digest: str) -> str:
        """Where the bytes are."""
        nested = self._folder / digest[:2] / digest
        return str(nested if nested.is_file() else self._folder / digest)


class AttachmentPages:
    """The answers about attachments."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._turns = asyncio.Semaphore(COPIES_AT_ONCE)

    async def copy(self, request: Request, viewer: Viewer) -> Response:
        """A photo as it may be shown: re-encoded, without EXIF."""
        row, _ = await self._find(request, viewer)
        if row.kind != "photo":
            raise HTTPException(404)
        path = await self._copy_of(row.digest)
        return FileResponse(path, media_type="image/jpeg", headers=HEADERS)

    async def original(self, request: Request, viewer: Viewer) -> Response:
        """The bytes as they came, always a download; opening them is evidence work and is logged."""
        row, incident = await self._find(request, viewer)
        officer = viewer.officer
        is_bound = officer is not None and not viewer.everything
        if is_bound and officer and (incident is None or not may(officer, Action.close, incident)):
            raise HTTPException(404)
        path = self._path(row.digest)
        async with self._screen.door.open() as desk:
            subject = f"incident:{row.incident_id}" if row.incident_id else "desk"
            desk.log("original_opened", subject, officer.id if officer else "system", digest=row.digest)
        name = quote(row.file_name or f"{row.digest[:12]}", safe="")
        headers = {**HEADERS, "Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    async def _find(self, request: Request, viewer: Viewer) -> tuple[Attachment, Incident | None]:
        """The attachment under this digest that the viewer may see. Raises HTTPException 404."""
        digest = request.path_params["digest"]
        if not _DIGEST.fullmatch(digest):
            raise HTTPException(404)
        async with self._screen.door.read() as store:
            rows = await store.find(Attachment, digest=digest, state=AttachmentState.stored, limit=50)
            for row in rows:
                incident = await _incident(store, row)
                if viewer.everything or (incident is not None and sees(viewer, incident)):
                    return row, incident
                if viewer.officer is not None and row.officer_id == viewer.officer.id:
                    return row, incident
        raise HTTPException(404)

    def _path(self, digest: str) -> Path:
        path = Path(self._screen.media.path(digest))
        if not path.is_file():
            raise HTTPException(404)
        return path

    async def _copy_of(self, digest: str) -> Path:
        """The copy on disk, made when it is first asked for. Raises HTTPException 404 if none can be."""
        source = self._path(digest)
        folder = Path(self._screen.settings.attachments_path) / "copies"
        target = folder / f"{digest}.jpg"
        async with self._turns:
            if target.is_file():
                return target
            folder.mkdir(parents=True, exist_ok=True)
            fresh = target.with_suffix(".new")
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-I", str(Path(__file__).parent / "picture.py"), str(source), str(fresh)
            )
            try:
                async with asyncio.timeout(COPY_SECONDS_MAX):
                    code = await child.wait()
            except TimeoutError:
                child.kill()
                code = -1
            if code != 0:
                fresh.unlink(missing_ok=True)
                raise HTTPException(404)
            fresh.replace(target)
        return target


async def _incident(store: Store, row: Attachment) -> Incident | None:
    return await store.get(Incident, row.incident_id) if row.incident_id else None
