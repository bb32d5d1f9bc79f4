"""Agent files: what is accepted, what is refused, and on which line the refusal points."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from blocklists.errors import ExitCode
from policies.agents import (
    AgentError,
    Honour,
    Problem,
    Severity,
    agent_findings,
    agent_schema,
    has_placeholder_contact,
    load_agent,
    parse_agent,
    read_agent,
    require_ready,
)
from policies.vocabulary import Purpose

POLICIES = Path(__file__).resolve().parents[2] / "policies"
EXAMPLE = (POLICIES / "agents" / "examplebot.toml").read_text(encoding="utf-8")
REAL = (
    EXAMPLE.replace("crawler.example.com", "crawler.kurabe.jp")
    .replace("www.example.com", "www.kurabe.jp")
    .replace("bot@example.com", "bot@kurabe.jp")
)
TODAY = date(2026, 11, 21)


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


def refusal(text: str | bytes) -> AgentError:
    with pytest.raises(AgentError) as caught:
        parse_agent(text if isinstance(text, bytes) else text.encode(), "bot.toml")
    return caught.value


def problems_of(raw: bytes) -> tuple[Problem, ...]:
    try:
        parse_agent(raw, "bot.toml")
    except AgentError as error:
        return error.problems
    return ()


def changed(old: str, new: str, base: str = EXAMPLE) -> str:
    assert old in base
    return base.replace(old, new, 1)


def test_the_shipped_example_is_valid_and_may_crawl_loopback_only():
    agent = load_agent(POLICIES, "ExampleBot")
    assert agent.policy.token == "ExampleBot"
    assert agent.policy.purposes == (Purpose.AI_TRAINING,)
    assert set(agent.policy.honours) == set(Honour)
    assert has_placeholder_contact(agent.policy)
    assert require_ready(agent, TODAY)[0].field == "contact"


ONE_PROBLEM = {
    "unknown key with a near one": ('name_ja = "', 'nmae_ja = "', "nmae_ja", "did you mean 'name_ja'?"),
    "unknown table": ("[robots]", "[robot]", "[robot]", "did you mean 'robots'?"),
    "unknown key far from all": ("country =", "zzz =", "zzz =", "known keys here: name, name_ja, url, country"),
    "purpose outside the vocabulary": ('["ai-training"]', '["ai-traning"]', "purposes =", "did you mean 'ai-training'?"),
    "purpose twice": ('["ai-training"]', '["search", "search"]', "purposes =", "names 'search' twice"),
    "no purpose": ('["ai-training"]', "[]", "purposes =", "at least 1"),
    "honour outside the vocabulary": ('"paywalls",', '"paywall",', '"paywall",', "did you mean 'paywalls'?"),
    "token with a space": ('token = "ExampleBot"', 'token = "Example Bot"', "token =", "RFC 9309 section 2.2.1"),
    "token with a version": ('token = "ExampleBot"', 'token = "Bot/1"', "token =", "letters, '-' and '_' only"),
    "user agent without token": ("ExampleBot/1.0", "Examplebot/1.0", "user_agent =", "does not contain the product token"),
    "user agent with a longer token": ("ExampleBot/1.0", "ExampleBots/1.0", "user_agent =", "does not contain"),
    "user agent with a line break": ("(compatible;", "(compatible\\r\\nX-Evil: 1;", "user_agent =", "printable ASCII"),
    "user agent in Japanese": ("(compatible;", "(互換;", "user_agent =", "printable ASCII"),
    "version as text": ("version = 1\n", 'version = "1"\n', "version =", "whole number"),
    "version as truth": ("version = 1\n", "version = true\n", "version =", "whole number"),
    "version zero": ("version = 1\n", "version = 0\n", "version =", "greater than or equal to 1"),
    "quoted date": ("effective_from = 2025-04-01", 'effective_from = "2025-04-01"', "effective_from =", "date without quotes"),
    "date with time": ("start = 2025-04-01", "start = 2025-04-01T00:00:00Z", "start =", "date without quotes"),
    "other format": ('"sekisho.agent/1"', '"sekisho.agent/9"', "schema =", "sekisho.agent/1"),
    "empty operator": ('name = "Example Corporation"', 'name = ""', "name =", "at least 1"),
    "operator with controls": ('"Example Corporation"', '"Example\\u0007"', "name =", "U+0007"),
    "operator turned round": ('"Example Corporation"', '"Example\\u202e"', "name =", "U+202E"),
    "operator over two lines": ('"Example Corporation"', '"""a\nb"""', "name =", "U+000A"),
    "operator as number": ('"Example Corporation"', "7", "name =", "text in quotes"),
    "script as address": ('"https://www.example.com/"', '"javascript:alert(1)"', "url =", "not an absolute"),
    "address with markup": ('"https://www.example.com/"', '"https://x.jp/<script>"', "url =", "must encode"),
    "address with user": ('"https://www.example.com/"', '"https://www.example.com@evil.jp/"', "url =", "user information"),
    "address with bad port": ('"https://www.example.com/"', '"https://x.jp:port/"', "url =", "not a URL"),
    "country in words": ('country = "JP"', 'country = "Japan"', "country =", "ISO 3166-1"),
    "broken e-mail": ('"bot@example.com"', '"bot at example.com"', "email =", "e-mail"),
    "neither e-mail nor form": ('email = "bot@example.com"', "", "[contact]", "contact form"),
    "no end of period": ("ongoing = true\n", "\n", "[collection]", "either an end date or ongoing"),
    "two ends of period": ("ongoing = true\n", "end = 2026-12-31\nongoing = true\n", "ongoing = true\n", "not both"),
    "period backwards": ("ongoing = true\n", "end = 2024-12-31\n", "end = 2024", "ends before it starts"),
    "robots.txt kept too long": ("= 86400\n", "= 86401\n", "max_age_seconds =", "86400"),
    "delay cap zero": ("= 300\n", "= 0\n", "max_crawl_delay_seconds =", "greater than or equal to 1"),
    "one language only": ('ja = "言語', '# "言語', "[description]", "is missing"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "where", "says"), ONE_PROBLEM.values(), ids=ONE_PROBLEM.keys())
def test_a_wrong_file_is_refused_with_file_line_and_what_to_do(old, new, where, says):
    text = changed(old, new)
    error = refusal(text)
    assert error.exit_code is ExitCode.REFUSED
    problem = next(problem for problem in error.problems if says in str(problem))
    assert problem.line == line_of(text, where)
    assert f"bot.toml:{problem.line}: " in str(error)


def test_a_missing_key_is_named_in_one_line():
    error = refusal(changed('token = "ExampleBot"', ""))
    assert str(error) == "bot.toml:1: token: is missing; add it"


def test_every_problem_is_listed_by_line():
    text = changed("version = 1\n", "version = 0\n", changed('"paywalls",', '"x",'))
    error = refusal(text)
    assert [problem.line for problem in error.problems] == sorted(
        [line_of(text, "version = 0"), line_of(text, '"x",')]
    )
    assert str(error).startswith("2 problems in bot.toml\n")


def test_a_third_party_crawler_is_found_on_its_own_line():
    block = '[[third_party_crawlers]]\nname = "A"\nidentifier = "A"\noperator = "A"\nperiod = { start = 2025-01-01, ongoing = true }\n'
    text = EXAMPLE + block + block.replace('operator = "A"', 'operatr = "A"')
    problem = next(p for p in refusal(text).problems if "did you mean" in str(p))
    assert (problem.line, problem.field) == (line_of(text, "operatr"), "third_party_crawlers.2.operatr")


@pytest.mark.parametrize(
    ("raw", "line", "says"),
    [
        (b"\xef\xbb\xbf" + EXAMPLE.encode(), 1, "byte order mark"),
        (EXAMPLE.encode("utf-16"), 1, "not UTF-8"),
        (b'token = "a"\nname = "\xff"\n', 2, "not UTF-8"),
        (b'token = "a"\nname = "b\n', 2, "not TOML"),
        (b'token = "a"\ntoken = "b"\n', 2, "not TOML"),
        (b"a\x00b", 1, "not TOML"),
        (b"", 1, "is missing"),
        (b"a = " + b"[" * 5000, None, "nested too deeply"),
        (b"#" * 300_000, None, "at most"),
    ],
    ids=["bom", "utf-16", "latin-1", "open string", "key twice", "nul", "empty", "deep", "huge"],
)
def test_what_is_not_an_agent_file_at_all_is_refused_without_a_traceback(raw, line, says):
    error = refusal(raw)
    assert says in str(error)
    assert error.problems[0].line == line


@given(st.text(max_size=60), st.integers(0, len(EXAMPLE)))
def test_any_insertion_parses_or_is_refused_with_a_place(insertion, at):
    raw = (EXAMPLE[:at] + insertion + EXAMPLE[at:]).encode("utf-8", "surrogatepass")
    last = raw.count(b"\n") + 1
    assert all(problem.line is None or 1 <= problem.line <= last for problem in problems_of(raw))


@given(st.data())
def test_any_cut_parses_or_is_refused(data):
    raw = EXAMPLE.encode()
    start = data.draw(st.integers(0, len(raw)))
    raw = raw[:start] + raw[data.draw(st.integers(start, len(raw))) :]
    assert problems_of(raw) or parse_agent(raw, "bot.toml").token


def folder_with(tmp_path: Path, **agents: str) -> Path:
    (tmp_path / "agents").mkdir()
    for stem, text in agents.items():
        (tmp_path / "agents" / f"{stem}.toml").write_text(text, encoding="utf-8")
    return tmp_path


SECOND = EXAMPLE.replace("ExampleBot", "OtherBot")


def test_the_only_agent_needs_no_token(tmp_path):
    assert load_agent(folder_with(tmp_path, examplebot=EXAMPLE)).policy.token == "ExampleBot"


def test_rfc9309_a_token_is_compared_without_case(tmp_path):
    assert (
        load_agent(folder_with(tmp_path, examplebot=EXAMPLE, otherbot=SECOND), "OTHERBOT").policy.token
        == "OtherBot"
    )


def test_several_agents_without_a_token_are_listed(tmp_path):
    with pytest.raises(AgentError, match=r"several agents \(examplebot, otherbot\)"):
        load_agent(folder_with(tmp_path, examplebot=EXAMPLE, otherbot=SECOND))


def test_an_unknown_token_lists_what_exists(tmp_path):
    with pytest.raises(AgentError, match="no file for the agent NoBot; files there: examplebot"):
        load_agent(folder_with(tmp_path, examplebot=EXAMPLE), "NoBot")


@pytest.mark.parametrize("token", ["../../etc/passwd", "a/b", "bot.toml", "ボット", "", "a\n"])
def test_a_token_never_becomes_a_path(tmp_path, token):
    with pytest.raises(AgentError, match="not a product token"):
        load_agent(folder_with(tmp_path, examplebot=EXAMPLE), token)


def test_a_missing_folder_says_how_to_begin(tmp_path):
    with pytest.raises(AgentError, match="sekisho check --init"):
        load_agent(tmp_path / "nowhere")


def test_an_empty_folder_is_no_permission(tmp_path):
    with pytest.raises(AgentError, match="holds no agent file"):
        load_agent(folder_with(tmp_path))


def test_the_file_is_named_after_the_token(tmp_path):
    with pytest.raises(
        AgentError, match=r"mybot\.toml:\d+: token: is 'ExampleBot', so the file must be called"
    ):
        load_agent(folder_with(tmp_path, mybot=EXAMPLE))


def test_the_digest_is_of_the_octets_of_the_file(tmp_path):
    path = tmp_path / "examplebot.toml"
    path.write_bytes(EXAMPLE.replace("\n", "\r\n").encode())
    agent = read_agent(path)
    assert len(agent.sha256) == 64
    assert agent.sha256 != read_agent(POLICIES / "agents" / "examplebot.toml").sha256
    assert agent.policy == read_agent(POLICIES / "agents" / "examplebot.toml").policy


def test_a_policy_cannot_be_changed_after_loading():
    policy = parse_agent(EXAMPLE.encode(), "bot.toml")
    with pytest.raises(ValueError, match="frozen"):
        policy.user_agent = "Mozilla/5.0"


PLACEHOLDERS = [
    "example.com", "bot.example.org", "example.net", "example.jp", "www.example.co.jp", "example1.jp", "a.example",
    "a.test", "a.invalid", "localhost", "a.localhost", "intranet", "printer.local", "127.0.0.1", "10.1.2.3",
    "192.168.0.1", "[::1]", "EXAMPLE.COM", "example.com.", "a.internal",
]  # fmt: skip


@pytest.mark.parametrize("host", PLACEHOLDERS)
def test_a_host_that_leads_nowhere_is_a_placeholder_in_any_place(host):
    assert not has_placeholder_contact(parse_agent(REAL.encode(), "bot.toml"))
    page = REAL.replace("https://crawler.kurabe.jp/bot", f"http://{host}/bot")
    assert has_placeholder_contact(parse_agent(page.encode(), "bot.toml"))
    site = REAL.replace("https://www.kurabe.jp/", f"https://{host}/")
    assert has_placeholder_contact(parse_agent(site.encode(), "bot.toml"))


def test_a_placeholder_in_the_mail_or_the_user_agent_alone_counts():
    mail = REAL.replace("bot@kurabe.jp", "bot@example.com")
    agent = REAL.replace("+https://crawler.kurabe.jp/bot)", "+https://bot.example.com/)")
    for text in (mail, agent):
        assert has_placeholder_contact(parse_agent(text.encode(), "bot.toml"))


@pytest.mark.parametrize(
    "host", ["notexample.com", "example.company.jp", "exampleshop.jp", "a.tester.jp", "93.184.216.34"]
)
def test_a_real_host_that_looks_similar_is_no_placeholder(host):
    text = REAL.replace("crawler.kurabe.jp", host)
    assert not has_placeholder_contact(parse_agent(text.encode(), "bot.toml"))


def errors_on(text: str, today: date) -> dict[str, str]:
    findings = agent_findings(parse_agent(text.encode(), "bot.toml"), today)
    return {finding.field: finding.message for finding in findings if finding.severity is Severity.ERROR}


def test_pc12c5_a_version_does_not_act_before_its_effective_day():
    text = REAL.replace("effective_from = 2025-04-01", "effective_from = 2026-12-01")
    assert "effective_from" in errors_on(text, date(2026, 11, 30))
    assert errors_on(text, date(2026, 12, 1)) == {}


def test_an_agent_does_not_act_outside_its_collection_period():
    text = REAL.replace("ongoing = true\n", "end = 2026-12-31\n")
    assert errors_on(text, date(2026, 12, 31)) == {}
    assert "collection.end" in errors_on(text, date(2027, 1, 1))
    assert "collection.start" in errors_on(text, date(2025, 3, 31))


def test_what_is_enforced_must_be_declared():
    text = REAL.replace('  "paywalls",', '  # "paywalls",')
    assert "does not name paywalls" in errors_on(text, TODAY)["honours"]


def test_a_crawl_is_refused_with_the_line_of_the_finding(tmp_path):
    text = REAL.replace("effective_from = 2025-04-01", "effective_from = 2026-12-01")
    agent = load_agent(folder_with(tmp_path, examplebot=text))
    with pytest.raises(AgentError) as caught:
        require_ready(agent, TODAY)
    assert caught.value.problems[0].line == line_of(text, "effective_from =")


def test_manners_are_warnings():
    text = REAL.replace("+https://crawler.kurabe.jp/bot)", "no page)")
    findings = agent_findings(parse_agent(text.encode(), "bot.toml"), TODAY)
    assert [(finding.severity, finding.field) for finding in findings] == [(Severity.WARNING, "user_agent")]


def test_a_decent_agent_has_no_findings():
    assert agent_findings(parse_agent(REAL.encode(), "bot.toml"), TODAY) == ()


SCHEMA_FILE = POLICIES / "agents" / "agent.schema.json"


def test_the_published_schema_is_the_one_of_the_models():
    published = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert published == agent_schema(), "regenerate policies/agents/agent.schema.json from agent_schema()"


def test_the_schema_accepts_what_we_accept_and_refuses_what_it_can():
    Draft202012Validator.check_schema(agent_schema())
    validator = Draft202012Validator(agent_schema(), format_checker=FormatChecker())
    document = parse_agent(EXAMPLE.encode(), "bot.toml").model_dump(mode="json", by_alias=True)
    assert validator.is_valid(document)
    for wrong in (
        {"unknown": 1}, {"token": "a b"}, {"purposes": []}, {"purposes": ["search", "search"]}, {"version": 0},
        {"effective_from": "tomorrow"}, {"robots": {"max_age_seconds": 86_401}}, {"operator": {"name": "x"}},
    ):  # fmt: skip
        assert not validator.is_valid(document | wrong), wrong
