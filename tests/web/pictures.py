"""Photos for the tests, as a phone sends them."""

import io
from typing import Any

from PIL import Image


def jpeg(width: int = 640, height: int = 480, shade: str = "#8a4b2a", **save: Any) -> bytes:
    """A JPEG picture."""
    content = io.BytesIO()
    Image.new("RGB", (width, height), shade).save(content, "JPEG", **save)
    return content.getvalue()
