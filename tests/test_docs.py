"""The pages are true: every word to type, button, sentence, setting, command, figure and link in them is real."""

import importlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bench.__main__ import NAMES as FIGURES
from bot.__main__ import INTERRUPTED
from bot.commands.terminal import DONE, FAULTS, USAGE
from bot.config import load
from bot.config.arrays import _Rungs, _When
from bot.config.environment import SECRETS
from bot.config.reading import hints_of
from bot.config.settings import ELSEWHERE, schema
from bot.sheets import people, roster, text, units
from desk.policy import BulletinPlan
from handlers import wishes
from handlers.flow import find_flows
from incidents.intake import find_number
from incidents.model import Severity, Step
from incidents.tables.limits import TOWN_TO_CITY, Limit
from roster.answers import reads_as_answer
from roster.model import PostRule, RandomMoments, RollCallPlan
from tests.bot.commands.cli import Cli
from tests.bot.wording.spoken import verbs
from tests.pages import (
    DOCS,
    PAGES,
    PEOPLE,
    ROOT,
    between,
    command_lines,
    fences,
    leaves,
    links,
    options,
    parse,
    read,
    spans,
)

PICTURE_BYTES_MAX = 300_000
WORDING = ROOT / "bot" / "wording" / "zh-CN"
TEMPLATES = ROOT / "web" / "templates"
LINKED = sorted(
    str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *DOCS.glob("*.md")]
)  # fmt: skip
ARRAY_RECORDS = (PostRule, RollCallPlan, RandomMoments, _Rungs, _When, Step, BulletinPlan)


# ── What people type, press and read ────────────────────────────────────────────────────────────


@cache
def typed() -> set[str]:
    """Everything the pages for people tell them to type."""
    return {one for name in PEOPLE for one in spans(read(name))}


def is_understood(line: str) -> bool:
    """Whether the desk takes this line for something other than the beginning of a report."""
    flows = find_flows()
    commands = {f"/{one}" for flow in flows for one in flow.commands}
    leads = [one for flow in flows for one in flow.leads]
    return (
        line.split()[0] in commands
        or any(line in flow.words for flow in flows)
        or any(line == lead or line.startswith(f"{lead} ") for lead in leads)
        or any(line.startswith(word) for word in wishes.WORDS)
        or reads_as_answer(line).kind is not None
        or find_number(line, "ZS") != ""
    )


@pytest.mark.parametrize("name", PEOPLE)
def test_everything_a_page_tells_people_to_type_is_understood(name: str) -> None:
    shown = spans(read(name))
    assert len(shown) > 5
    assert [one for one in shown if not is_understood(one)] == []


def test_every_command_and_word_of_every_flow_is_on_a_page() -> None:
    flows = find_flows()
    wanted = {f"/{one}" for flow in flows for one in flow.commands}
    wanted |= {one for flow in flows for one in (*flow.words, *flow.leads)} | set(wishes.WORDS)
    shown = typed() | {one.split()[0] for one in typed()}
    assert sorted(wanted - shown) == []


@cache
def words_of(path: Path, part: str = "") -> Mapping[str, Any]:
    """A words file, or one part of it."""
    found = tomllib.loads(path.read_text("utf-8"))
    return found[part] if part else found


def texts(value: Any) -> Iterable[str]:
    """Every text within."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)


@cache
def wording() -> str:
    """All that the desk says in chats."""
    return "\n".join(one for path in sorted(WORDING.glob("*.toml")) for one in texts(words_of(path)))


@cache
def phone_words() -> tuple[str, ...]:
    """All that the phone page says of itself."""
    path = ROOT / "bot" / "channels" / "webchat" / "templates" / "words.toml"
    return tuple(texts(words_of(path, "zh-CN")))


@cache
def screens() -> str:
    """All that stands in the desk's pages, with the values they may show."""
    pages = "\n".join(path.read_text("utf-8") for path in sorted(TEMPLATES.rglob("*.html")))
    return "\n".join([pages, *texts(words_of(TEMPLATES / "words.toml", "zh-CN"))])


@cache
def buttons() -> tuple[re.Pattern[str], ...]:
    """The label of everything that can be pressed, in chats, on the phone page and on the desk."""
    choices = words_of(WORDING / "terms.toml", "choice").values()
    on_desk = re.findall(r"<(?:button|summary)\b[^>]*>(.*?)</(?:button|summary)>", screens(), re.DOTALL)
    labels = [*choices, *phone_words(), *(re.sub(r"<[^>]+>", "", one).strip() for one in on_desk)]
    return tuple(pattern(one) for one in labels if re.search(r"\w", one))


def pattern(template: str) -> re.Pattern[str]:
    """What a text with {facts} or {{ values }} may look like."""
    parts = re.split(r"\{\{.*?\}\}|\{[^{}]*\}", template)
    return re.compile(".+".join(re.escape(one) for one in parts))


@pytest.mark.parametrize("name", PAGES)
def test_every_button_a_page_names_is_there_to_press_or_to_read(name: str) -> None:
    marks = between(wording(), "【", "】")  # 【超时】 and the like, which messages begin with.
    named = between(read(name), "【", "】")
    assert named
    assert [one for one in named if one not in marks and not any(b.fullmatch(one) for b in buttons())] == []


def test_every_button_a_chat_offers_is_on_a_page() -> None:
    named = {one for name in PEOPLE for one in between(read(name), "【", "】")}
    labels = words_of(WORDING / "terms.toml", "choice")
    offered = verbs()
    assert offered <= labels.keys()
    assert [
        labels[verb] for verb in offered if not any(pattern(labels[verb]).fullmatch(n) for n in named)
    ] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_label_a_page_quotes_from_a_screen_stands_there(name: str) -> None:
    said = "\n".join([screens(), *phone_words()])
    assert [one for one in between(read(name), "「", "」") if one not in said] == []


def test_every_sentence_a_page_quotes_from_a_chat_is_the_desks_own() -> None:
    quoted = {
        line.removeprefix("> ")
        for name in PEOPLE
        for line in read(name).splitlines()
        if line.startswith("> ")
    }
    lines = [line.removeprefix("? ") for line in wording().splitlines()]
    own = [pattern(line) for line in lines if len(re.findall(r"\w", re.sub(r"\{.*?\}", "", line))) >= 2]
    assert len(quoted) >= 2
    assert [one for one in quoted if not any(sentence.fullmatch(one) for sentence in own)] == []


def test_the_reporting_limits_on_the_page_are_the_desks() -> None:
    names = words_of(WORDING / "terms.toml", "term")["severity"]
    shown: dict[str, tuple[float, ...]] = {}
    for line in read("duty-officer").splitlines():
        cells = [one.strip() for one in line.strip("|").split("|")]
        if len(cells) == 4 and re.match(r"\d+ (分钟|小时)", cells[1]):
            shown[cells[0]] = tuple(minutes(one) for one in cells[1:])
    for severity in Severity:
        row = next(row for row in shown if names[severity.value] in row.split("、"))
        assert shown[row] == figures(TOWN_TO_CITY.limits[severity])
    assert next(shown[row] for row in shown if row.startswith("敏感")) == figures(TOWN_TO_CITY.sensitive)


def minutes(told: str) -> float:
    """ "30 分钟" or "1 小时" in minutes."""
    count, unit = told.split()
    return float(count) * {"分钟": 1, "小时": 60}[unit]


def figures(limit: Limit) -> tuple[float, ...]:
    return limit.phone_minutes, limit.written_minutes, limit.follow_up_minutes


# ── What the operator sets and runs ─────────────────────────────────────────────────────────────


def test_every_setting_is_in_the_sample_configuration_or_on_the_operators_page() -> None:
    sample, page = read("config.toml"), read("operator")
    missing = []
    for table, kind in schema().items():
        part = re.search(rf"^\[{table}\]$((?:\n(?!\[).*)*)", sample, re.MULTILINE)
        assert part, table
        for key in hints_of(kind).keys() - set(ELSEWHERE if table == "web" else ()):
            if not re.search(rf"^(?:# )?{key} = ", part[1], re.MULTILINE) and f"[{table}] {key}" not in page:
                missing.append(f"[{table}] {key}")
    for record in ARRAY_RECORDS:
        for one in fields(record):
            if not re.search(rf"\b{one.name}\b", sample + page):
                missing.append(f"{record.__name__}.{one.name}")
    assert missing == []


def test_every_setting_the_pages_name_exists() -> None:
    written = "\n".join(read(str(path)) for path in [*LINKED, "config.toml"])
    written += "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "deploy").iterdir()))
    named = {
        (table, key) for table, key in re.findall(r"\[(\w+)\] ([a-z_]+)\b", written) if table in schema()
    }
    for table, key in re.findall(r"\bMUSTER_([A-Z]+)__([A-Z_]+[A-Z])", written):
        key = key.lower()
        is_file = key.endswith("_file") and key.removesuffix("_file") in SECRETS.get(table.lower(), ())
        named.add((table.lower(), key.removesuffix("_file") if is_file else key))
    kinds = schema()
    assert len(named) > 10
    assert [one for one in named if one[0] not in kinds or one[1] not in hints_of(kinds[one[0]])] == []


def test_the_operators_sample_configuration_starts_an_office_once_its_secrets_are_real(
    tmp_path: Path,
) -> None:
    [sample] = [inside for told, inside in fences(read("operator")) if told == "toml"]
    path = tmp_path / "config.toml"
    path.write_text(
        re.sub(
            r'(?<=token = ")[^"]*',
            "7000000001:" + "Ab" * 20,
            re.sub(r'(?<=secret_key = ")[^"]*', "x1y2" * 8, sample),
        ),
        "utf-8",
    )
    path.chmod(0o600)
    config = load(path, {})
    assert config.warnings == () and not config.demonstration
    assert config.web.is_https and config.database_path.is_absolute()


@pytest.mark.parametrize("name", LINKED)
def test_every_command_line_on_a_page_is_one_the_desk_takes(name: str) -> None:
    for words in command_lines(read(name)):
        assert parse([one.partition("|")[0] for one in words])  # people|units: the first of several.


def test_every_command_and_option_is_on_the_operators_page() -> None:
    page = read("operator")
    shown = command_lines(page)
    assert [leaf for leaf in leaves() if not any(words[: len(leaf)] == leaf for words in shown)] == []
    assert sorted(one for one in options() - {"--help"} if one not in page) == []


def test_every_line_of_check_is_explained() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "bot" / "commands").glob("*check*.py"))
    parts = set(re.findall(r'\b(?:ok|fault|warning)\("(\w+)"', source))
    parts |= {path.parent.name for path in (ROOT / "bot" / "channels").glob("*/channel.py")}
    explained = set(re.findall(r"^\| (\w+) \| .* \| .* \|$", read("operator"), re.MULTILINE))
    assert len(parts) > 10
    assert sorted(parts - explained) == []


def test_every_figure_for_watchers_is_explained_and_none_is_invented() -> None:
    measured = set(re.findall(r'"(muster_\w+)"', (ROOT / "web" / "health.py").read_text("utf-8")))
    assert measured == set(re.findall(r"`(muster_[a-z_]+)", read("operator")))
    for address in ("/healthz", "/readyz", "/metrics"):
        assert f"`{address}`" in read("operator")


def test_the_exit_codes_on_the_page_are_the_programs() -> None:
    [told] = re.findall(r"^退出码：(.*)$", read("operator"), re.MULTILINE)
    assert [int(one) for one in re.findall(r"\b\d+\b", told)] == [DONE, FAULTS, USAGE, INTERRUPTED]


def test_every_column_the_operators_page_names_is_read() -> None:
    rows = re.findall(r"^\| ((?:单位|人员|值班表).*?) \| (.+?) \| (.+) \|$", read("operator"), re.MULTILINE)
    headers = {"单位": units.HEADERS, "人员": people.HEADERS, "值班表": roster.HEADERS}
    posts = {rule["name"] for rule in tomllib.loads(read("config.toml"))["post"]}
    asides = [*people.ROLES.values(), *units.KINDS.values(), *roster.PRESENCES.values(), ("是", "否")]
    allowed = {text.key(one) for words in asides for one in words}
    assert len(rows) == 4
    for file, *cells in rows:
        known = {text.key(one) for names in headers[file.partition("（")[0]].values() for one in names}
        known |= {text.key(one) for one in posts if file.startswith("值班表")}
        for cell in cells:
            plain = re.sub(r"（([^）]*)）|，再每个岗位一列：", "、", cell)
            assert [one for one in plain.split("、") if one and text.key(one) not in known] == [], file
            for aside in between(cell, "（", "）"):
                assert "ID" in aside or {text.key(one) for one in aside.split("、")} <= allowed


def test_the_sample_files_on_the_operators_page_are_imported_whole(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    page = read("operator")
    days = (datetime.now(UTC).date() + timedelta(days=number) for number in range(1, 10))
    for told, inside in fences(page):
        if told.startswith("csv "):
            fresh = re.sub(r"\d+月\d+日", lambda _: f"{next(days):%m月%d日}", inside)
            (tmp_path / told.removeprefix("csv ")).write_text(fresh, "utf-8")
    lines = [words for words in command_lines(page) if words[:1] == ["import"] and words[2].endswith(".csv")]
    assert [words[1] for words in lines] == ["units", "units", "people", "roster"]
    for words in lines:
        done = cli(*words)
        assert (done.code, done.err) == (0, "")
        assert ("试运行" if "--dry-run" in words else "已导入：新增") in done.out


# ── Figures, links and pictures ─────────────────────────────────────────────────────────────────


def test_the_page_of_figures_has_every_figure_with_its_bar() -> None:
    page = read("performance")
    measures = {name: importlib.import_module(f"bench.{name}") for name in set(FIGURES.values())}
    intake, answers, latency, fanout, fanout_wecom = (
        measures[name] for name in ("intake", "answers", "latency", "fanout", "fanout_wecom")
    )
    boot, status, simulate, growth, restore = (
        measures[name] for name in ("boot", "status", "simulate", "growth", "restore")
    )
    intake_postgres, replicas, lateness = (
        measures[name] for name in ("intake_postgres", "replicas", "lateness")
    )
    bars = {
        "intake": (f"≥ {intake.RATIO_MIN:.2f}", f"p99 ≤ {intake.P99_MS_MAX:g} ms"),
        "answers": (f"≥ {answers.RATIO_MIN:.2f}",),
        "latency": (f"p99 ≤ {latency.P99_MS_MAX:g} ms",),
        "fanout": (f"≤ {100 * fanout.OVER_MAX:g} %",),
        "fanout_wecom": (f"≤ {fanout_wecom.FANOUT_SECONDS_MAX:g} s", f"{fanout_wecom.AUDIENCE:,}"),
        "answers_wecom": (f"{fanout_wecom.AUDIENCE:,}",),
        "latency_wecom": (f"p99 ≤ {fanout_wecom.P99_SECONDS_MAX:g} s",),
        "boot": (f"≤ {boot.SECONDS_MAX:g} s",),
        "memory": (f"≤ {intake.RSS_MIB_MAX:g} MiB",),
        "status": (f"≤ {status.MS_MAX:g} ms", f"{status.INCIDENTS:,}"),
        "onduty": (f"≤ {status.MS_MAX:g} ms",),
        "simulate": (f"≤ {simulate.SECONDS_MAX:g} s",),
        "growth": (f"≤ {100 * growth.GROWTH_MAX:g} %",),
        "restore": (f"≤ {restore.SECONDS_MAX:g} s", f"{restore.INCIDENTS:,}"),
        "restore_postgres": (f"≤ {restore.SECONDS_MAX:g} s",),
        "intake_postgres": (f"≥ {intake_postgres.RATIO_MIN:.2f}", f"p99 ≤ {intake.P99_MS_MAX:g} ms"),
        "replicas": (f"≥ {replicas.RATIO_MIN:g}", f"≥ {replicas.NEVER_SLOWER:g}"),
        "lateness": (f"p99 ≤ {lateness.P99_MS_MAX:g} ms", f"{lateness.TIMERS:,}", f"{lateness.PER_SECOND}"),
    }
    assert bars.keys() == FIGURES.keys()
    for name, told in bars.items():
        row = re.search(rf"^\| `{name}` \| (.*)$", page, re.MULTILINE)
        assert row and all(bar in row[1] for bar in told), name


@pytest.mark.parametrize("name", ["scale", "comparison"])
def test_a_measured_figure_on_another_page_is_the_one_on_the_page_of_figures(name: str) -> None:
    figures = dict(
        re.findall(r"^\| `(\w+)` \| ([\d.,]+[^|]*?) \|", read("performance").split("## 最近一次")[1], re.M)
    )
    assert len(figures) > 5
    quoted = 0
    for row in re.findall(r"^\|.*实测.*$", read(name), re.MULTILINE):
        for figure in set(re.findall(r"`(?:(?:python -m )?bench )?(\w+)`", row)) & figures.keys():
            numbers = re.findall(r"\d[\d,.]*\d", figures[figure])
            assert any(number in row for number in numbers), (row, figures[figure])
            quoted += 1
    assert quoted


@pytest.mark.parametrize("name", LINKED)
def test_every_link_and_picture_of_a_page_is_there(name: str) -> None:
    folder = (ROOT / name).parent
    for link in links(read(name)):
        path, _, anchor = link.partition("#")
        target = (folder / path).resolve() if path else ROOT / name
        assert target.exists(), link
        assert not anchor or anchor in read(str(target.relative_to(ROOT)))


def test_every_page_is_linked_from_both_readmes_and_has_pictures_with_words() -> None:
    for name in PAGES:
        for readme in ("README.md", "README.zh-CN.md"):
            assert f"docs/{name}.md" in links(read(readme))
        pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", read(name))
        assert len(pictures) >= 2
        assert all(len(words) > 5 for words, _ in pictures)


@pytest.mark.parametrize("path", sorted((DOCS / "images").glob("*")), ids=lambda path: path.name)
def test_a_picture_is_small_and_whole(path: Path) -> None:
    assert path.suffix == ".png" and path.stat().st_size < PICTURE_BYTES_MAX
    with Image.open(path) as picture:
        picture.load()
        assert min(picture.size) >= 300
