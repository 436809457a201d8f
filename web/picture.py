"""Makes the copy of a photo that may be shown: upright, small, no EXIF. Runs as a limited child process."""

import resource
import sys

EDGE_MAX = 1600
PIXELS_MAX = 50_000_000
JPEG_PIXELS_MAX = 250_000_000  # A JPEG is decoded at a fraction of its size, so big phone cameras fit.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
TOO_LARGE, UNREADABLE = 3, 4


def main(source: str, target: str) -> int:
    """Write the display copy of `source` to `target`; the exit code says why there is none."""
    from PIL import Image, ImageFile, ImageOps  # Only in the child: the desk itself never decodes a picture.

    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    Image.MAX_IMAGE_PIXELS = None  # Our own bounds below are stricter and come before decoding.
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with Image.open(source, formats=FORMATS) as picture:
            bound = JPEG_PIXELS_MAX if picture.format == "JPEG" else PIXELS_MAX
            if picture.width * picture.height > bound:
                return TOO_LARGE
            picture.draft("RGB", (EDGE_MAX, EDGE_MAX))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((EDGE_MAX, EDGE_MAX))
            layer = upright.convert("RGBA")
            shown = Image.new("RGB", layer.size, "white")
            shown.paste(layer, mask=layer)
            shown.save(target, "JPEG", quality=82)
    except MemoryError:
        return TOO_LARGE
    except (OSError, ValueError, SyntaxError):
        return UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
