"""The technical log: one record a line, and nothing secret or personal in it, wherever it came from."""

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from bot.logging import PHONE, QUIET, SECRET, Redaction, set_up

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "7000000001:AAF-loopback_only-000000000000000"


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = before
    root.setLevel(level)
    for name, one in levels.items():
        logging.getLogger(name).setLevel(one)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[str]:
    return out.getvalue().splitlines()


def record(out: io.StringIO) -> dict[str, str]:
    [line] = lines(out)
    found: dict[str, str] = json.loads(line)
    return found


def test_a_record_is_one_line_of_json_with_its_moment() -> None:
    out = io.StringIO()
    set_up(out=out)
    logging.getLogger("bot.door").info("%d rows for %s", 3, "小榄镇")
    told = record(out)
    assert told["event"] == "3 rows for 小榄镇" and told["level"] == "info" and told["logger"] == "bot.door"
    assert told["at"].endswith("+00:00")


@pytest.mark.parametrize("form", ["json", "pretty"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_input_18_a_forged_line_in_a_text_stays_inside_its_record(form: str, end: str) -> None:
    out = io.StringIO()
    set_up(form=form, out=out)
    logging.getLogger("bot").warning("heard %s", f'着火了{end}{{"level": "info", "event": "all is well"}}')
    assert len(lines(out)) == 1


def test_a_terminal_gets_no_orders_from_a_text() -> None:
    out = io.StringIO()
    set_up(form="pretty", out=out)
    logging.getLogger("bot").warning("\x1b[2J\x1b]0;title\x07 \u202ereversed")
    assert not set("\x1b\x07\u202e") & set(out.getvalue())


def test_input_62_a_token_in_an_error_text_is_redacted_with_its_traceback() -> None:
    out = io.StringIO()
    set_up(secrets=[TOKEN], out=out)
    request = httpx.Request("POST", f"http://127.0.0.1:1/bot{TOKEN}/sendMessage")
    try:
        httpx.Response(502, request=request).raise_for_status()
    except httpx.HTTPStatusError:
        logging.getLogger("bot.postman").exception("could not send with %s", TOKEN)
    told = record(out)
    assert TOKEN not in out.getvalue() and TOKEN.partition(":")[2] not in out.getvalue()
    assert SECRET in told["event"] and "HTTPStatusError" in told["exception"] and SECRET in told["exception"]


def test_a_token_nobody_configured_is_redacted_by_its_looks() -> None:
    assert (
        Redaction().text(f"GET https://t.invalid/bot{TOKEN}/getMe")
        == f"GET https://t.invalid/bot{SECRET}/getMe"
    )


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("电话13812345678，速来", f"电话{PHONE}，速来"),
        ("199-0000-1001", PHONE),
        ("+86 138 1234 5678", PHONE),
        ("008613812345678", PHONE),
        ("8613812345678", PHONE),
        ("0760-88315555", PHONE),
        ("tel13812345678", f"tel{PHONE}"),
        ("/chat/" + "a" * 43 + "/stream", f"/chat/{SECRET}/stream"),
        ("https://x/cgi?access_token=abc&y=1", f"https://x/cgi?access_token={SECRET}&y=1"),
        ("corpid=1&corpsecret=q", f"corpid=1&corpsecret={SECRET}"),
        ("Authorization: Bearer abcdefgh12", f"Authorization: Bearer {SECRET}"),
        ("postgresql+psycopg://muster:hush@db/m", f"postgresql+psycopg://muster:{SECRET}@db/m"),
        ("ZS-20261123-004 at 2026-11-23T08:30:00.123456+00:00", None),
        ("update 1234567890 message 42 chat -1001234567890", None),
        ("sqlite+aiosqlite:////srv/muster.db", None),
        ("13812345678901", None),
    ],
)
def test_what_is_redacted_and_what_is_left(text: str, clean: str | None) -> None:
    assert Redaction().text(text) == (text if clean is None else clean)


def test_facts_beside_the_text_are_cleaned_to_the_last() -> None:
    out = io.StringIO()
    set_up(secrets=["hush-hush"], out=out)
    structlog.get_logger("bot").warning(
        "bound",
        phone="12345",
        number=13812345678,
        deep={"list": [f"x{TOKEN}", {"token": 7}]},
        error=OSError("hush-hush"),
    )
    told = json.loads(lines(out)[0])
    assert told["phone"] == PHONE and told["number"] == PHONE and told["error"] == SECRET
    assert told["deep"] == {"list": [f"x{SECRET}", {"token": SECRET}]}


def test_libraries_that_log_addresses_are_quiet_even_when_debugging() -> None:
    out = io.StringIO()
    set_up("debug", out=out)
    logging.getLogger("httpx").info("HTTP Request: POST https://t.invalid/")
    logging.getLogger("telegram.Bot").debug("text of a message")
    logging.getLogger("bot").debug("seen")
    assert record(out)["event"] == "seen"


def test_a_record_that_cannot_be_written_is_told_in_one_line_without_its_contents() -> None:
    out = io.StringIO()
    set_up(out=out)
    logging.getLogger("bot").info("%d rows", f"not a number {TOKEN}")
    assert "unwritable record" in record(out)["event"] and TOKEN not in out.getvalue()


def test_a_warning_of_python_is_a_record() -> None:
    out = io.StringIO()
    set_up(out=out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", stacklevel=1)
    assert "old ways" in record(out)["event"]


def test_a_pretty_record_shows_its_traceback_below() -> None:
    out = io.StringIO()
    set_up(form="pretty", out=out)
    try:
        raise ValueError("13812345678")
    except ValueError:
        logging.getLogger("bot").exception("broken")
    assert "broken" in lines(out)[0] and lines(out)[-1] == f"ValueError: {PHONE}"


def test_a_real_process_writes_to_stderr_only() -> None:
    code = "import logging; from bot.logging import set_up; set_up(); logging.warning('x'); 1/0"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "" and json.loads(done.stderr.splitlines()[0])["event"] == "x"
