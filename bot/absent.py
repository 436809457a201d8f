"""Says once that an optional module is not installed, where a library asks for it again and again."""

import importlib.util
import sys

# httpcore tries to import it several times in every request; looking for what is not there costs a third of a request.
ASKED_FOR = ("sniffio",)


def settle_absent(names: tuple[str, ...] = ASKED_FOR) -> None:
    """Let every further import of those of these that are not installed fail at once, as it fails anyway."""
    for name in names:
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            sys.modules[name] = None  # type: ignore[assignment]  # How Python is told that there is none.
