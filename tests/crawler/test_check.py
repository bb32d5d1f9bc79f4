"""`sekisho check`: what would stop a crawl, with file and line; `--init` starts without overwriting."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from crawler import cli
from crawler.decisionlog.keys import create_key

SEKISHO = Path(sys.executable).with_name("sekisho")
POLICIES = Path(__file__).resolve().parents[2] / "policies"
EXAMPLE = (POLICIES / "agents" / "examplebot.toml").read_text(encoding="utf-8")
REAL = (
    EXAMPLE.replace("crawler.example.com", "crawler.kurabe.jp")
    .replace("www.example.com", "www.kurabe.jp")
    .replace("bot@example.com", "bot@kurabe.jp")
)


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def process(folder: Path, *arguments: str, **environment: str) -> Done:
    """Run the installed command as a process of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SEKISHO_", "SCRAPY_"))}
    done = subprocess.run(
        [str(SEKISHO), "check", *arguments],
        cwd=folder, env=clean | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def check(folder: Path, *arguments: str, **environment: str) -> Done:
    """Run the command in this process, which is ten times faster."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("SEKISHO_", "SCRAPY_"))]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        code = cli.main(["check", *arguments])
    return Done(code, out.getvalue(), err.getvalue())


def findings(folder: Path, *arguments: str, run=check, **environment: str) -> list[dict[str, str]]:
    done = run(folder, "--format", "json", *arguments, **environment)
    document = json.loads(done.stdout)
    assert document["schema"] == "sekisho.check/1"
    return document["findings"]


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    assert check(tmp_path, "--init", "--token", "ExampleBot").returncode == 0
    put(tmp_path, "policies/agents/examplebot.toml", REAL)
    return tmp_path


def test_a_sound_folder_is_0_also_when_strict(folder):
    done = check(folder, "--strict")
    assert done.returncode == 0
    assert "a crawl can start" in done.stderr
    assert not (folder / "sekisho.db").exists()


def test_the_exit_codes_are_those_of_the_process(folder, tmp_path):
    assert process(folder).returncode == 0
    put(folder, "policies/agents/examplebot.toml", EXAMPLE)
    assert process(folder, "--strict").returncode == 3
    put(folder, "policies/agents/examplebot.toml", "x = 1")
    assert process(folder).returncode == 5


def test_a_warning_is_3_only_when_strict(folder):
    put(folder, "policies/agents/examplebot.toml", EXAMPLE)
    assert check(folder).returncode == 0
    assert check(folder, "--strict").returncode == 3


def test_an_invalid_agent_file_is_5_with_file_and_line(folder):
    text = REAL.replace('["ai-training"]', '["ai-trainin"]')
    put(folder, "policies/agents/examplebot.toml", text)
    done = check(folder)
    line = text[: text.index("purposes =")].count("\n") + 1
    assert done.returncode == 5
    assert f"policies/agents/examplebot.toml:{line}" in done.stdout
    assert "did you mean 'ai-training'?" in done.stdout


def test_every_agent_file_is_looked_at(folder):
    put(folder, "policies/agents/a.toml", REAL)
    put(folder, "policies/agents/b.toml", "x = 1")
    places = {row["place"].partition(":")[0] for row in findings(folder) if row["status"] == "error"}
    assert places == {"policies/agents/a.toml", "policies/agents/b.toml"}


def test_one_agent_can_be_chosen(folder):
    put(folder, "policies/agents/b.toml", "x = 1")
    assert check(folder, "--agent", "ExampleBot").returncode == 0


def test_no_agent_at_all_is_5_and_says_how_to_begin(tmp_path):
    done = check(tmp_path)
    assert done.returncode == 5
    assert "sekisho check --init" in done.stdout


def test_an_unannounced_version_is_5(folder):
    put(folder, "policies/agents/examplebot.toml", REAL.replace("version = 1\n", "version = 2\n"))
    done = check(folder)
    assert done.returncode == 5
    assert "has no change fragment" in done.stdout


def test_a_broken_fragment_is_5_with_its_line(folder):
    put(folder, "policies/changes/2026-01-01-x.toml", 'schema = "sekisho.change/1"\ntoken = "a b"\n')
    rows = [row for row in findings(folder) if row["part"] == "change"]
    assert "policies/changes/2026-01-01-x.toml:2" in {row["place"] for row in rows}


def test_lists_that_cannot_be_trusted_are_5(folder):
    put(folder, "lists/stray.txt", "stray.example\n")
    rows = [row for row in findings(folder) if row["part"] == "lists"]
    assert [row["status"] for row in rows] == ["error"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///nowhere/sekisho.db", "does not exist"),
        ("sqlite:///lists", "is a folder"),
        ("sqlite:///lists/own.txt", "is not an SQLite database"),
        ("sqlite://", "in memory"),
        ("no url", "not an SQLAlchemy URL"),
    ],
)
def test_a_log_that_could_not_be_written_is_5(folder, url, says):
    done = check(folder, "--log", url)
    assert done.returncode == 5
    assert says in done.stdout


def test_the_log_may_come_from_the_environment_and_hides_its_password(folder):
    rows = findings(folder, SEKISHO_LOG="postgresql://user:secret@db.example/log")
    row = next(row for row in rows if row["part"] == "log")
    assert row["status"] == "note"
    assert "secret" not in json.dumps(rows)


SERVER = "postgresql://user@db.example/log"


def log_rows(folder, url, **environment):
    rows = findings(folder, SEKISHO_LOG=url, **environment)
    return [(row["status"], row["message"]) for row in rows if row["part"] == "log"][1:]


def test_a_log_in_postgresql_without_key_and_checkpoint_files_is_5_before_a_crawl_finds_out(folder):
    ((status, message),) = log_rows(folder, SERVER)
    assert status == "error"
    assert "SEKISHO_LOG_KEY_FILE" in message
    ((status, _),) = log_rows(folder, SERVER, SEKISHO_LOG_KEY_FILE="one.key")
    assert status == "error", "one of them is not enough"


def test_files_of_a_log_that_are_missing_loose_or_broken_are_told(folder):
    named = {"SEKISHO_LOG_KEY_FILE": "own.key", "SEKISHO_LOG_CHECKPOINT_FILE": "own.checkpoint"}
    for url in (SERVER, "sqlite:///sekisho.db"):
        missing = log_rows(folder, url, **named)
        assert [status for status, _ in missing] == ["warning", "warning"]
        assert all("is not here: a new log makes it" in message for _, message in missing)
    create_key(folder / "own.key")
    put(folder, "own.checkpoint", "no checkpoint\n")
    (key, checkpoint) = log_rows(folder, SERVER, **named)
    assert key == ("ok", "holds the key of the log")
    assert checkpoint[0] == "error"
    assert "holds no checkpoint" in checkpoint[1]
    (folder / "own.key").chmod(0o644)
    assert log_rows(folder, SERVER, **named)[0][0] == "error", "others can read it"
    nowhere = dict.fromkeys(named, "nowhere/file")
    assert [status for status, _ in log_rows(folder, SERVER, **nowhere)] == ["error", "error"]


def test_a_key_beside_an_sqlite_log_that_others_can_read_is_told_though_nobody_named_it(folder):
    assert log_rows(folder, "sqlite:///sekisho.db") == []
    create_key(folder / "sekisho.db.key")
    assert log_rows(folder, "sqlite:///sekisho.db") == []
    (folder / "sekisho.db.key").chmod(0o640)
    ((status, message),) = log_rows(folder, "sqlite:///sekisho.db")
    assert status == "error"
    assert "chmod 600" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_5(folder):
    (folder / "ro").mkdir(mode=0o500)
    assert check(folder, "--log", "sqlite:///ro/sekisho.db").returncode == 5


def test_json_lines_are_one_finding_each(folder):
    lines = check(folder, "--format", "jsonl").stdout.splitlines()
    assert {json.loads(line)["part"] for line in lines} >= {"agent", "lists", "log"}


def test_init_writes_what_check_accepts_and_only_loopback_may_use(tmp_path):
    assert check(tmp_path, "--init").returncode == 0
    assert (tmp_path / "policies/agents/mybot.toml").exists()
    assert [row["status"] for row in findings(tmp_path) if row["part"] == "agent"] == ["ok", "warning"]


def test_init_takes_answers_without_asking(tmp_path):
    arguments = ["--token", "KurabeBot", "--contact", "https://crawler.kurabe.jp/bot", "--operator", 'Kurabe "K.K." \\',
                 "--purpose", "search", "--purpose", "research"]  # fmt: skip
    assert check(tmp_path, "--init", *arguments).returncode == 0
    assert check(tmp_path, "--strict").returncode == 0
    text = (tmp_path / "policies/agents/kurabebot.toml").read_text(encoding="utf-8")
    assert 'purposes = ["search", "research"]' in text


def test_init_overwrites_nothing(tmp_path):
    mine = put(tmp_path, "policies/agents/mybot.toml", "mine")
    done = check(tmp_path, "--init")
    assert done.returncode == 0
    assert mine.read_text() == "mine"
    assert "kept policies/agents/mybot.toml" in done.stdout


@pytest.mark.parametrize(
    "arguments", [("--token", "../x"), ("--contact", "javascript:1"), ("--operator", "a\nb")]
)
def test_init_with_a_wrong_answer_writes_nothing(tmp_path, arguments):
    assert check(tmp_path, "--init", *arguments).returncode == 2
    assert list(tmp_path.iterdir()) == []


ADDON = 'ADDONS = {"crawler.addon.SekishoAddon": 100}\n'


def project(folder: Path, settings: str) -> list[dict[str, str]]:
    put(folder, "scrapy.cfg", "[settings]\ndefault = shop.settings\n")
    put(folder, "shop/__init__.py", "")
    put(folder, "shop/settings.py", settings)
    return [row for row in findings(folder, run=process) if row["part"] == "scrapy"]


def test_a_project_without_the_add_on_is_unguarded(folder):
    rows = project(folder, "BOT_NAME = 'shop'\n")
    assert [(row["status"], row["place"]) for row in rows] == [("error", "shop/settings.py")]
    assert "ADDONS" in rows[0]["message"]


def test_settings_that_do_not_decide_are_named_with_their_line(folder):
    rows = project(folder, ADDON + "ROBOTSTXT_OBEY = True\nUSER_AGENT = 'Mozilla/5.0'\nDOWNLOADER = 'x.Y'\n")
    found = {row["message"].split()[0]: (row["status"], row["place"]) for row in rows}
    assert found == {
        "ADDONS": ("ok", "shop/settings.py:1"),
        "ROBOTSTXT_OBEY": ("note", "shop/settings.py:2"),
        "USER_AGENT": ("warning", "shop/settings.py:3"),
        "DOWNLOADER": ("warning", "shop/settings.py:4"),
    }


def test_an_unknown_setting_of_ours_is_an_error_with_its_line(folder):
    rows = project(folder, ADDON + "\nSEKISHO_POLICY = 'x'\n")
    assert ("error", "shop/settings.py:3") in {(row["status"], row["place"]) for row in rows}


def test_a_settings_file_that_fails_is_an_error_not_a_traceback(folder):
    rows = project(folder, "1 / 0\n")
    assert [row["status"] for row in rows] == ["error"]
    assert "ZeroDivisionError" in rows[0]["message"]


def test_the_settings_of_the_project_say_where_things_are(folder):
    (folder / "policies").rename(folder / "promises")
    rows = project(folder, ADDON + "SEKISHO_POLICIES = 'promises'\n")
    assert [row["status"] for row in rows] == ["ok"]


def test_every_pinned_setting_is_explained():
    from crawler.addon import PINNED_SETTINGS
    from crawler.commands.check_project import _CONFLICTS

    assert set(PINNED_SETTINGS) <= set(_CONFLICTS)


WAIVERS = """\
schema = "sekisho.waivers/1"
[[waivers]]
document = "Contract 1"
owner = "legal@kurabe.jp"
granted_by = "A publisher"
hosts = ["news.example.jp"]
waives = ["usage_preference"]
purposes = ["ai-training"]
expires = 2099-01-01
"""


def test_a_waiver_file_that_is_in_order_is_counted_and_what_lapsed_is_named(folder):
    put(folder, "waivers.toml", WAIVERS)
    (row,) = [one for one in findings(folder, "--waivers", "waivers.toml") if one["part"] == "waivers"]
    assert (row["status"], row["message"]) == ("ok", "1 of 1 waiver(s) hold today")
    put(folder, "waivers.toml", WAIVERS.replace("2099-01-01", "2020-01-01"))
    lapsed, row = [one for one in findings(folder, "--waivers", "waivers.toml") if one["part"] == "waivers"]
    assert (lapsed["status"], lapsed["place"]) == ("warning", "waivers.toml:3")
    assert "expired on 2020-01-01" in lapsed["message"]
    assert row["message"].startswith("0 of 1")
    assert check(folder, "--strict", "--waivers", "waivers.toml").returncode == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        (WAIVERS.replace("usage_preference", "usage_preferenc"), "usage_preference"),
        (WAIVERS.replace("usage_preference", "http_401"), "cannot be waived"),
        (WAIVERS.replace('document = "Contract 1"\n', ""), "document"),
        (WAIVERS.replace("2099-01-01", '"soon"'), "expires"),
        ("x", "waivers.toml"),
    ],
)
def test_a_waiver_file_that_would_stop_the_crawl_is_5_with_its_place(folder, text, words):
    if text is not None:
        put(folder, "waivers.toml", text)
    done = check(folder, "--waivers", "waivers.toml")
    assert done.returncode == 5
    assert words in done.stdout
    assert "Traceback" not in done.stderr


def test_a_profile_that_would_stop_the_crawl_is_5(folder):
    put(folder, "scrapy.cfg", "[settings]\ndefault = my_settings_of_profile\n")
    put(
        folder,
        "my_settings_of_profile.py",
        'ADDONS = {"crawler.addon.SekishoAddon": 100}\nSEKISHO_PROFILE = "strct"\n',
    )
    done = process(folder)
    assert done.returncode == 5
    assert "no profile is named 'strct'" in done.stdout
