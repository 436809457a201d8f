"""What is not installed is looked for once."""

import importlib
import sys

import pytest

from bot.absent import settle_absent


def test_what_is_not_there_fails_at_once_and_what_is_there_is_untouched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "a_module_that_nobody_has"
    monkeypatch.setitem(sys.modules, name, None)  # So that the test leaves nothing behind.
    monkeypatch.delitem(sys.modules, name)
    before = sys.modules["json"]
    settle_absent((name, "json", "this"))
    looked: list[str] = []

    class Finder:
        """Notes what is looked for."""

        @staticmethod
        def find_spec(fullname: str, path: object = None, target: object = None) -> None:
            looked.append(fullname)

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)
    assert looked == []
    assert (
        sys.modules["json"] is before and "this" not in sys.modules
    )  # Installed, and imported by nobody yet.
