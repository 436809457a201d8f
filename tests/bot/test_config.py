"""The configuration: defaults that work, one clear sentence per fault, all faults at once."""

import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest

from bot.channels.telegram.settings import VENDOR_URL, TelegramSettings
from bot.config import Config, ConfigFaults, load
from bot.config.faults import _table
from bot.config.settings import ELSEWHERE, schema
from bot.config.tables import Queue
from bot.queue.picking import Bounds
from desk.policy import BulletinPlan, Limits
from incidents.model import Ladder, Severity, Step
from roster.calendar import Calendar
from roster.model import PostRule, RandomMoments, RollCallPlan
from web.settings import WebSettings

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "7000000001:AAF-loopback_only-000000000000000"
WEBHOOK = f"""
[web]
public_url = "https://duty.city.invalid"
[telegram]
token = "{TOKEN}"
mode = "webhook"
webhook_secret = "k3-9_Zq"
"""


WECOM = (
    "[wecom]\ncorp_id = 'ww1'\nagent_id = 7\nsecret = 'k3-9_Zq'\ncallback_token = 'Tk9w2'\n"
    f"encoding_aes_key = '{'A' * 43}'\n"
)
# With posts of its own, an office must not keep arrays that name the built-in ones.
OWN_POSTS = """
[[roll_call]]
name = "n"
cron = "0 8 * * *"
[[escalation]]
name = "e"
steps = [{ after_minutes = 0, to = "role:office" }]
[[bulletin]]
name = "b"
cron = "0 8 * * *"
to = "role:office"
"""


def read(folder: Path, text: str, **environ: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return load(path, environ)


def faults(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        read(folder, text, **environ)
    return list(caught.value.sentences)


def test_nothing_configured_is_the_demonstration_town(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(None, {})
    assert config.demonstration
    assert config.database_path == tmp_path / "data" / "muster.db"
    assert config.attachments_path == tmp_path / "data" / "attachments"
    assert config.warnings == () and config.path is None
    assert config.public_url == "http://127.0.0.1:8080"


def test_the_shipped_file_says_every_key_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shipped = load(ROOT / "config.toml", {})
    assert replace(shipped, path=None) == load(None, {})
    text = (ROOT / "config.toml").read_text("utf-8")
    tables = re.split(r"^\[", text, flags=re.MULTILINE)
    for name, kind in schema().items():
        part = next(table for table in tables if table.startswith(f"{name}]"))
        for one in fields(kind):
            if not (name == "web" and one.name in ELSEWHERE):
                assert re.search(rf"^(# )?{one.name} = ", part, re.MULTILINE), f"[{name}] {one.name}"
    for name, kind in {
        "post": PostRule,
        "roll_call": RollCallPlan,
        "escalation": Ladder,
        "bulletin": BulletinPlan,
    }.items():
        parts = "".join(table for table in tables if table.startswith(f"[{name}]]"))
        written = {"severities": "severity", "categories": "category", "units": "units|unit"}
        for one in fields(kind):
            word = written.get(one.name, one.name)
            assert re.search(rf"\b({word}) = ", parts), f"[[{name}]] {one.name}"


def test_the_shipped_file_still_starts_the_demonstration_town() -> None:
    assert load(ROOT / "config.toml", {}).demonstration


def test_defaults_agree_with_the_parts_they_are_for() -> None:
    assert {one.name: one.default for one in fields(Queue)} == {
        one.name: one.default for one in fields(Bounds)
    }
    assert load(None, {}).telegram.base_url == VENDOR_URL
    assert load(None, {}).limits == Limits()


def test_every_sentence_is_said_in_every_language() -> None:
    first, *others = _table().values()
    for other in others:
        assert other.keys() == first.keys()
        for kind, words in first.items():
            if isinstance(words, str):
                named = re.compile(r"(?<!\{)\{(\w+)\}")
                assert set(named.findall(words)) == set(named.findall(other[kind])), kind


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[web]\nport = 'eighty'", "[web] port", "整数"),
        ("[web]\nport = 8080.5", "[web] port", "整数"),
        ("[web]\nport = true", "[web] port", "整数"),
        ("[web]\nport = 0", "[web] port", "1 到 65,535"),
        ("[web]\nport = 65536", "[web] port", "1 到 65,535"),
        ("[web]\nprot = 8080", "[web] prot", "是不是 port？"),
        ("[web]\npublic_url = 'duty.example'", "[web] public_url", "http://"),
        ("[web]\npublic_url = 'https://[broken'", "[web] public_url", "http://"),
        ("[web]\nhost = ''", "[web] host", "是空的"),
        ("[web]\nhost = 'two words'", "[web] host", "127.0.0.1"),
        ("[web]\nsecret_key = ''", "[web] secret_key", "是空的"),
        ("[web]\nsecret_key = 'changeme'", "[web] secret_key", "示例"),
        ("[web]\nsecret_key = 'k3-9_Zq'", "[web] secret_key", "太短"),
        ("[web]\napi_tokens = ['abc']", "[web] api_tokens", "SHA-256"),
        ("[web]\nattachments_path = 'x'", "[web] attachments_path", "没有这个设置"),
        ("[wbe]\nport = 1", "[wbe]", "是不是 web？"),
        ("web = 1", "[web]", "写成一张表"),
        ("colour = 'red'", "[colour]", "没有这张表"),
        ("[office]\ntimezone = 'Asia/Shanghia'", "[office] timezone", "Asia/Shanghai"),
        ("[office]\ntimezone = '../../etc/passwd'", "[office] timezone", "没有时区"),
        ("[office]\nlanguage = 'fr'", "[office] language", "zh-CN, en"),
        ("[office]\nname = ' '", "[office] name", "是空的"),
        ("[office]\nnumber_prefix = 'Z S'", "[office] number_prefix", "ZS"),
        ("[office]\nwatch_changes_at = '8:30'", "[office] watch_changes_at", "08:30"),
        ("[office]\nwatch_changes_at = '24:00'", "[office] watch_changes_at", "08:30"),
        ("[office]\nfallback = ['role:offic']", "[office] fallback", "是不是 role:office？"),
        ("[office]\ndemonstration = 'no'", "[office] demonstration", "true 或 false"),
        ("[database]\nurl = 'sqlite:///x.db'", "[database] url", "sqlite+aiosqlite:///"),
        ("[database]\nurl = 'sqlite+aiosqlite:///:memory:'", "[database] url", "sqlite+aiosqlite:///"),
        ("[database]\nurl = 'sqlite+aiosqlite:///data/'", "[database] url", "sqlite+aiosqlite:///"),
        ("[database]\nurl = 'postgres://u:k3Zq@h/m'", "[database] url", "PostgreSQL"),
        (
            "[database]\nurl = 'postgresql+psycopg://u:k3Zq@h:x,i/m'",
            "[database] url",
            "主机1:5432,主机2:5432",
        ),
        ("[database]\nurl = 'postgresql+psycopg://u@/m?host=h:1&host=i:2'", "[database] url", "主机1:5432"),
        (
            "[database]\nurl = 'postgresql+psycopg://h,i/m?target_session_attrs=any'",
            "[database] url",
            "read-write",
        ),
        ("[log]\nlevel = 'inof'", "[log] level", "是不是 info？"),
        ("[queue]\nworkers_max = 4", "[queue] bulk_max", "1 到 3"),
        ("[limits]\ndraft_minutes = 0", "[limits] draft_minutes", "0.01"),
        ("[limits]\ndraft_minutes = nan", "[limits] draft_minutes", "数字"),
        ("[limits]\ndraft_minutes = '10'", "[limits] draft_minutes", "数字"),
        ("[limits]\ntext_max = -1", "[limits] text_max", "100"),
        ("[heartbeat]\nurl = 'ping'", "[heartbeat] url", "http://"),
        ("[telegram]\ntoken = ''", "[telegram] token", "是空的"),
        ("[telegram]\ntoken = 7", "[telegram] token", "文字"),
        ("[telegram]\ntoken = '123456789:AAE-sample'", "[telegram] token", "示例"),
        ("[telegram]\ntoken = 'nonsense!'", "[telegram] token", "@BotFather"),
        ("[telegram]\nmode = 'webhook'", "[telegram] token", "@BotFather"),
        ("[telegram]\nwebhook_secret = 'k3-9_Zq'", "[telegram] token", "@BotFather"),
        (f"[telegram]\ntoken = '{TOKEN}'\nmode = 'both'", "[telegram] mode", "polling, webhook"),
        (f"[telegram]\ntoken = '{TOKEN}'\nmode = ['polling', 'webhook']", "[telegram] mode", "文字"),
        (
            f"[telegram]\ntoken = '{TOKEN}'\nwebhook_secret = 'k3-9_Zq'",
            "[telegram] webhook_secret",
            "只能有一种",
        ),
        (f"[telegram]\ntoken = '{TOKEN}'\nbase_url = 'ftp://x'", "[telegram] base_url", "api.telegram.org"),
        (WEBHOOK.replace("https", "http"), "[web] public_url", "https://"),
        ("[wecom]\nmode = 'long_connection'\nbot_id = 'aib1'", "[wecom] bot_secret", "智能机器人"),
        ("[wecom]\nmode = 'long_connection'\nbot_secret = 'k3-9_Zq'", "[wecom] bot_id", "智能机器人"),
        (WECOM.replace("corp_id = 'ww1'\n", ""), "[wecom] corp_id", "企业ID"),
        (WECOM.replace("agent_id = 7\n", ""), "[wecom] agent_id", "AgentId"),
        (WECOM.replace("secret = 'k3-9_Zq'\n", ""), "[wecom] secret", "Secret"),
        (WECOM.replace("callback_token = 'Tk9w2'\n", ""), "[wecom] callback_token", "设置API接收"),
        (WECOM.replace("A" * 43, "A" * 42), "[wecom] encoding_aes_key", "43"),
        ("[wecom_robot]\nurl = 'https://qyapi.test/?key=1'", "[wecom_robot] url", "Webhook"),
        (WECOM + "base_url = 'https://proxy.test/?a=1'", "[wecom] base_url", "qyapi.weixin.qq.com"),
        ("[[web]]\nport = 1", "[web]", "写成一张表"),
        ("[post]\nkey = 'x'", "[[post]]", "[[post]]"),
        ("[[post]]\nkey = 'a b'\nname = 'x'", "[[post]] a b key", "duty_officer"),
        ("[[post]]\nkey = 'a'", "[[post]] a name", "缺少"),
        ("[[post]]\nkey = 'a'\nname = 'A'\npresence = 'onsite'", "[[post]] a presence", "是不是 on_site？"),
    ],
)
def test_input_63_a_bad_setting_gives_exactly_one_sentence(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    sentences = faults(tmp_path, text + (OWN_POSTS if text.startswith("[[post]]") else ""))
    assert len(sentences) == 1
    assert sentences[0].startswith(where) and what in sentences[0]
    assert "\n" not in sentences[0]


ROLL_CALL = "[[roll_call]]\nname = 'n'\n"
LADDER = "[[escalation]]\nname = 'n'\n"
BULLETIN = "[[bulletin]]\nname = 'n'\n"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (ROLL_CALL, "[[roll_call]] n", "二选一"),
        (ROLL_CALL + "cron = '0 8 * * *'\nrandom = { window = '22:00-06:00' }", "[[roll_call]] n", "二选一"),
        (ROLL_CALL + "cron = '0 25 * * *'", "[[roll_call]] n cron", "25"),
        (ROLL_CALL + "cron = '0 8 30 2 *'", "[[roll_call]] n cron", "0 8 30 2 *"),
        (ROLL_CALL + "cron = '@daily'", "[[roll_call]] n cron", "@daily"),
        ("[[roll_call]]\ncron = '0 8 * * *'", "[[roll_call]] #1 name", "缺少"),
        (ROLL_CALL + "random = 'night'", "[[roll_call]] n random", "{ … }"),
        (ROLL_CALL + "random = { window = '22-6' }", "[[roll_call]] n random window", "22:00-06:00"),
        (ROLL_CALL + "random = { times = 2 }", "[[roll_call]] n random window", "缺少"),
        (
            ROLL_CALL + "random = { window = '22:00-06:00', times = 0 }",
            "[[roll_call]] n random times",
            "1 到 24",
        ),
        (
            ROLL_CALL + "random = { window = '22:00-06:00', weekdays = [0] }",
            "[[roll_call]] n random weekdays",
            "1 到 7",
        ),
        (
            ROLL_CALL + "cron = '0 8 * * *'\nposts = ['duty_oficer']",
            "[[roll_call]] n posts",
            "duty_officer？",
        ),
        (ROLL_CALL + "cron = '0 8 * * *'\nroles = 'boss'", "[[roll_call]] n roles", "leader"),
        (
            ROLL_CALL + "cron = '0 8 * * *'\nday_classes = ['workdy']",
            "[[roll_call]] n day_classes",
            "workday？",
        ),
        (ROLL_CALL + "cron = '0 8 * * *'\nproof = 'gps'", "[[roll_call]] n proof", "passcode"),
        (
            ROLL_CALL + "cron = '0 8 * * *'\nremind_after_minutes = [4, 2]",
            "[[roll_call]] n remind_after_minutes",
            "增大",
        ),
        (
            ROLL_CALL + "cron = '0 8 * * *'\nremind_after_minutes = 10",
            "[[roll_call]] n remind_after_minutes",
            "10 分钟超过",
        ),
        (
            ROLL_CALL + "cron = '0 8 * * *'\non_time_minutes = 11",
            "[[roll_call]] n on_time_minutes",
            "11 分钟超过",
        ),
        (
            ROLL_CALL + "cron = '0 8 * * *'\n" + ROLL_CALL + "cron = '0 9 * * *'",
            "[[roll_call]] n name",
            "用了两次",
        ),
        (LADDER, "[[escalation]] n", "没有 steps"),
        (LADDER + "steps = 'x'", "[[escalation]] n steps", "列表"),
        (LADDER + "steps = [{ to = 'role:office' }]", "[[escalation]] n steps 1 after_minutes", "缺少"),
        (LADDER + "steps = [{ after_minutes = 0 }]", "[[escalation]] n steps 1 to", "缺少"),
        (LADDER + "steps = [{ after_minutes = 0, to = [] }]", "[[escalation]] n steps 1 to", "是空的"),
        (
            LADDER + "steps = [{ after_minutes = 0, to = 'leader' }]",
            "[[escalation]] n steps 1 to",
            "role:leader？",
        ),
        (
            LADDER + "steps = [{ after_minutes = 0, to = 'role:office', channels = 'sms' }]",
            "[[escalation]] n steps 1 channels",
            "webchat",
        ),
        (
            LADDER
            + "steps = [{ after_minutes = 5, to = 'role:office' }, { after_minutes = 1, to = 'role:admin' }]",
            "[[escalation]] n steps",
            "5, 1",
        ),
        (
            LADDER + "when = { severity = 'serous' }\nsteps = [{ after_minutes = 0, to = 'role:office' }]",
            "[[escalation]] n when severity",
            "serious？",
        ),
        (BULLETIN + "cron = '0 9 * * *'", "[[bulletin]] n to", "缺少"),
        (BULLETIN + "to = 'role:office'", "[[bulletin]] n cron", "缺少"),
        (BULLETIN + "cron = ''\nto = 'role:office'", "[[bulletin]] n cron", "是空的"),
        (BULLETIN + "cron = '9'\nto = 'role:office'", "[[bulletin]] n cron", "五段"),
        (BULLETIN + "cron = '0 9 * * *'\nto = 'post:nobody'", "[[bulletin]] n to", "指不到任何人"),
        (
            BULLETIN + "cron = '0 9 * * *'\nto = 'role:office'\nkind = 'dayly'",
            "[[bulletin]] n kind",
            "daily？",
        ),
        ("bulletin = [1]", "[[bulletin]]", "每项一段"),
    ],
)
def test_a_bad_entry_of_an_array_gives_exactly_one_sentence(
    tmp_path: Path, text: str, where: str, what: str
) -> None:
    sentences = faults(tmp_path, text)
    assert len(sentences) == 1
    assert sentences[0].startswith(where) and what in sentences[0] and "\n" not in sentences[0]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"[web\nport = 1", "TOML"),
        (b"[web]\nport = 1\nport = 2", "TOML"),
        ("[office]\nname = '应急办'".encode("gbk"), "UTF-8"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"a = " + b"[" * 20_000, "TOML"),
    ],
)
def test_a_file_that_is_no_toml_gives_one_sentence(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigFaults) as caught:
        load(path, {})
    [sentence] = caught.value.sentences
    assert sentence.startswith(str(path)) and what in sentence


def test_a_missing_file_and_a_folder_are_told_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="--config"):
        load(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigFaults, match="权限"):
        load(tmp_path, {})


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes("\ufeff[web]\nport = 81".encode())
    assert load(path, {}).web.port == 81


def test_all_faults_are_told_at_once_in_the_offices_language(tmp_path: Path) -> None:
    text = "[office]\nlanguage = 'en'\ntimezone = 'x'\n[web]\nport = 'x'\nprt = 1\n[log]\nlevel = 'loud'\n"
    sentences = faults(
        tmp_path, text + BULLETIN + "[colours]\n", MUSTER_WEB__HOTS="h", MUSTER_LIMITS__TEXT_MAX="x"
    )
    assert [one.partition(": ")[0] for one in sentences] == [
        "MUSTER_WEB__HOTS",
        "[colours]",
        "[office] timezone",
        "[web] prt",
        "[web] port",
        "[log] level",
        "MUSTER_LIMITS__TEXT_MAX",
        "[[bulletin]] n cron",
        "[[bulletin]] n to",
    ]
    assert all(one.isascii() for one in sentences)
    assert "did you mean MUSTER_WEB__HOSTS?" in sentences[0]


def test_input_62_a_secret_is_never_shown_in_a_fault(tmp_path: Path) -> None:
    text = "[telegram]\ntoken = '7:changeme-very-private'\n[web]\nsecret_key = ['very-private']\n"
    text += "[database]\nurl = 'mysql://u:very-private@h/m'\n"
    for sentence in faults(tmp_path, text):
        assert "very-private" not in sentence
    config = read(tmp_path, WEBHOOK)
    assert TOKEN not in repr(config) and "k3-9_Zq" not in repr(config)
    assert set(config.secrets) == {TOKEN, "k3-9_Zq"}


def test_the_environment_overrides_every_type_of_key(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "[web]\nport = 81",
        MUSTER_WEB__PORT="9000",
        MUSTER_OFFICE__NAME="三防办",
        MUSTER_OFFICE__DEMONSTRATION="false",
        MUSTER_OFFICE__FALLBACK="role:leader, role:admin",
        MUSTER_LIMITS__DRAFT_MINUTES="0.5",
        MUSTER_LIMITS__INVITE_HOURS="2",
        MUSTER_DEBUG="1",
        MUSTERING="no",
        PATH="/bin",
    )
    assert config.web.port == 9000
    assert config.office.name == "三防办"
    assert not config.office.demonstration and not config.demonstration
    assert config.office.fallback == ("role:leader", "role:admin")
    assert config.limits.draft_minutes == 0.5 and config.limits.invite_hours == 2


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("MUSTER_WEB__PORT", "eighty", "整数"),
        ("MUSTER_WEB__PORT", "99999", "65,535"),
        ("MUSTER_OFFICE__DEMONSTRATION", "perhaps", "true 或 false"),
        ("MUSTER_TELEGRM__TOKEN", TOKEN, "MUSTER_TELEGRAM__TOKEN？"),
        ("MUSTER_ROLL_CALL__NAME", "x", "[[roll_call]]"),
        ("MUSTER_TELEGRAM__TOKEN", "", "是空的"),
        ("MUSTER_OFFICE__NAME_FILE", "/x", "_FILE"),
        ("MUSTER_TELEGRAM__TOKEN_FILE", "/nowhere/token", "密钥文件"),
    ],
)
def test_a_bad_environment_variable_is_named_itself(tmp_path: Path, name: str, value: str, what: str) -> None:
    [sentence] = faults(tmp_path, "", **{name: value})
    assert sentence.startswith(name) and what in sentence


def test_a_secret_comes_by_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    secret.chmod(0o600)
    config = read(tmp_path, "", MUSTER_TELEGRAM__TOKEN_FILE=str(secret))
    assert config.telegram.token == TOKEN and config.warnings == ()
    assert not config.demonstration
    [sentence] = faults(tmp_path, "", MUSTER_TELEGRAM__TOKEN_FILE=str(secret), MUSTER_TELEGRAM__TOKEN=TOKEN)
    assert "MUSTER_TELEGRAM__TOKEN " in sentence and "只留一个" in sentence
    secret.write_text("\n")
    [sentence] = faults(tmp_path, "", MUSTER_TELEGRAM__TOKEN_FILE=str(secret))
    assert "是空的" in sentence


def test_input_63_a_secret_that_everybody_may_read_is_warned_of_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[telegram]\ntoken = '{TOKEN}'\n")
    path.chmod(0o644)
    [warning] = load(path, {}).warnings
    assert f"chmod 600 {path}" in warning
    path.chmod(0o600)
    assert load(path, {}).warnings == ()
    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    secret.chmod(0o644)
    path.write_text("")
    [warning] = load(path, {"MUSTER_TELEGRAM__TOKEN_FILE": str(secret)}).warnings
    assert f"chmod 600 {secret}" in warning


def test_an_open_port_without_https_and_a_desk_that_reaches_nobody_are_warned_of(tmp_path: Path) -> None:
    assert "public_url" in read(tmp_path, "[web]\nhost = '0.0.0.0'").warnings[0]
    behind = "[web]\nhost = '0.0.0.0'\npublic_url = 'https://duty.city.invalid'"
    assert read(tmp_path, behind).warnings == ()
    alone = "[office]\ndemonstration = false\n[webchat]\nenabled = false"
    assert "enabled = true" in read(tmp_path, alone).warnings[0]


def test_a_trusted_proxy_that_is_no_address_is_warned_of(tmp_path: Path) -> None:
    wrong = read(
        tmp_path, "[web]\ntrusted_proxies = ['*', '127.0.0.1', '::1', '10.0.0.0/8', 'caddy']"
    ).warnings
    assert [one.partition("trusted_proxies：")[2].split(" ")[0] for one in wrong] == [
        '"*"',
        '"10.0.0.0/8"',
        '"caddy"',
    ]
    assert all("127.0.0.1" in one for one in wrong)


def test_paths_are_seen_from_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    config = read(folder, "[attachments]\npath = '/srv/photos'")
    assert config.database_path == folder / "data" / "muster.db"
    assert config.database.url == f"sqlite+aiosqlite:///{folder}/data/muster.db"
    assert config.attachments_path == Path("/srv/photos")
    assert config.web_settings().attachments_path == "/srv/photos"
    absolute = read(folder, "[database]\nurl = 'sqlite+aiosqlite:////srv/m.db'")
    assert absolute.database_path == Path("/srv/m.db")
    read(folder, "")
    assert load(Path("etc/config.toml"), {}).database_path == folder / "data" / "muster.db"


def test_a_short_answer_window_shortens_what_is_not_written(tmp_path: Path) -> None:
    config = read(tmp_path, ROLL_CALL + "cron = '0 8 * * *'\nanswer_window_minutes = 0.1")
    [plan] = config.arrays.roll_calls
    assert (plan.on_time_minutes, plan.answer_window_minutes, plan.remind_after_minutes) == (0.1, 0.1, ())


def test_posts_that_built_in_entries_call_are_missed_aloud(tmp_path: Path) -> None:
    sentences = faults(tmp_path, "[[post]]\nkey = 'chief'\nname = '总值班'")
    assert [one.partition("：")[0] for one in sentences] == ["[[post]]"] * 3
    assert "duty_leader, duty_officer" in sentences[0] and "[[roll_call]]" in sentences[0]
    assert "[[escalation]]" in sentences[1] and "[[bulletin]]" in sentences[2]
    read(tmp_path, "[[post]]\nkey = 'chief'\nname = '总值班'" + OWN_POSTS)


def test_arrays_become_the_desks_own_records(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
bulletin = []
[[post]]
key = "chief"
name = "总值班"
[[roll_call]]
name = "夜"
random = { window = "23:00-05:00", times = 2, weekdays = [6, 7] }
posts = "chief"
catch_up_minutes = 7.5
[[escalation]]
name = "重大"
when = { severity = ["serious", "extremely_serious"], unit = "小榄镇" }
steps = [{ after_minutes = 0, to = ["post:chief@小榄镇", "officer:张三"], channels = ["telegram"] }]
repeat = 0
""",
    )
    assert config.arrays.posts == (PostRule("chief", "总值班"),)
    [plan] = config.arrays.roll_calls
    assert plan == RollCallPlan(
        "夜", random=RandomMoments("23:00-05:00", 2, (6, 7)), posts=("chief",), catch_up_minutes=7.5
    )
    [ladder] = config.arrays.ladders
    assert ladder.severities == (Severity.serious, Severity.extremely_serious)
    assert ladder.steps == (Step(0, ("post:chief@小榄镇", "officer:张三"), ("telegram",)),)
    assert ladder.units == ("小榄镇",) and ladder.repeat == 0
    assert config.arrays.bulletins == ()


def test_the_parts_get_what_they_need(tmp_path: Path) -> None:
    config = read(tmp_path, WEBHOOK + "stub_only = true\nbot_name = '@MusterBot'\n")
    assert not config.demonstration and config.live_channels == ("telegram",)
    policy = config.policy(Calendar())
    assert policy.public_url == "https://duty.city.invalid" and policy.telegram_bot == "MusterBot"
    assert policy.stub_only == ("telegram",) and not policy.demonstration
    assert policy.ladders[0].steps and policy.roll_calls and policy.bulletins and policy.posts
    table = config.channels["telegram"]
    known = {one.name for one in fields(TelegramSettings)}
    settings = TelegramSettings(**{key: value for key, value in table.items() if key in known})
    assert settings.faults() == []
    assert settings.webhook_url == "https://duty.city.invalid/channels/telegram/webhook"
    assert list(settings.commands) == ["zh", "en"]
    web = config.web_settings()
    assert isinstance(web, WebSettings) and web.is_https and not web.is_open


def test_the_demonstration_is_told_to_the_policy_and_the_screen() -> None:
    config = load(None, {})
    assert config.policy(Calendar()).demonstration and config.web_settings().is_open


def test_the_shipped_file_is_plain_toml() -> None:
    tables = tomllib.loads((ROOT / "config.toml").read_text("utf-8"))
    assert set(tables) == {*schema(), "roll_call", "escalation", "bulletin", "post"}
