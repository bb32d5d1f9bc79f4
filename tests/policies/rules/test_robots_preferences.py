"""What the lines of robots.txt beside the rules come to for each purpose, and what never lifts a refusal."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.ai_agents import load_ai_agents
from policies.facts import ResponseFacts, RobotsAccess, RobotsFile
from policies.precedence import switched_by
from policies.rules.content_signal import judge_content_signal, judge_signal_header
from policies.rules.judged_rows import Intent
from policies.rules.peer_blocks import judge_peer_blocks
from policies.rules.request_rate import judge_request_rate, longest_pause
from policies.rules.robots import read_rules
from policies.rules.robots_noindex import judge_ai_prohibition, judge_robots_noindex
from policies.rules.usage_preference import judge_usage_header, judge_usage_preference
from policies.rules.visit_time import judge_visit_time
from policies.vocabulary import Action, Purpose, Reason

URL = "https://example.com/a"
HOUR = 3_600_000_000
TRAINING, INPUT = Purpose.AI_TRAINING, Purpose.AI_INPUT
SEARCH, ARCHIVE, RESEARCH = Purpose.SEARCH, Purpose.ARCHIVE, Purpose.RESEARCH
EVERY = tuple(Purpose)


def readings(text, access=RobotsAccess.RULES):
    body = text if isinstance(text, bytes) else text.encode()
    return read_rules(
        RobotsFile(
            url="https://example.com/robots.txt", final_url="https://example.com/robots.txt", access=access,
            status=200, body=body, sha256=hashlib.sha256(body).hexdigest(), fetched_at=1, expires_at=2,
        )
    )  # fmt: skip


def intent(*purposes, research_org=False, **switches):
    return Intent(
        token="ExampleBot",
        purposes=frozenset(purposes),
        switched=switched_by(switches, research_org=research_org),
    )


def refused(judge):
    """Return the purposes, each alone, that a judgement refuses."""
    return {purpose for purpose in Purpose if not judge(intent(purpose)).action.passes}


def response(*headers, status=200):
    return ResponseFacts(url=URL, status=status, headers=headers)


@pytest.mark.parametrize(
    ("line", "purposes"),
    [
        ("Content-Usage: train-ai=n", {TRAINING, RESEARCH}),
        ("Content-Usage: search=n", {SEARCH, INPUT}),
        ("Content-Usage: train-ai=y, search=y", set()),
        ("Content-Usage: train-ai=no", set()),
        ("Content-Signal: ai-train=no", {TRAINING, RESEARCH}),
        ("Content-Signal: ai-input=no", {INPUT}),
        ("Content-Signal: search=no", {SEARCH, INPUT, ARCHIVE}),
        ("Content-Signal: use=reference", {TRAINING, INPUT, ARCHIVE, RESEARCH}),
        ("Content-Signal: use=immediate", set(EVERY)),
        ("Content-Signal: use=full, ai-train=yes", set()),
        ("Noindex: /a", set(EVERY)),
        ("DisallowAITraining: /", {TRAINING}),
        ("User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /", {TRAINING}),
        ("User-agent: ChatGPT-User\nUser-agent: PerplexityBot\nDisallow: /", {INPUT}),
    ],
)
def test_each_line_refuses_exactly_the_purposes_of_its_row(line, purposes):
    read = readings(f"User-agent: *\n{line if line.startswith('User') is False else 'Allow: /'}\nAllow: /\n\n"
                    f"{line if line.startswith('User') else ''}\n")  # fmt: skip

    def judge(who):
        verdicts = [
            judge_usage_preference(read, URL, who),
            judge_content_signal(read, who),
            judge_robots_noindex(read, URL, who),
            judge_ai_prohibition(read, URL, who),
            judge_peer_blocks(read, URL, who, load_ai_agents()),
        ]
        return next((verdict for verdict in verdicts if not verdict.action.passes), verdicts[0])

    assert refused(judge) == purposes
    if purposes:
        verdict = judge(intent(*purposes))
        assert verdict.action is Action.SKIP
        assert verdict.evidence[0].line is not None
        assert verdict.evidence[0].sha256
        assert "refused" in verdict.evidence[0].note


def test_case_44_an_archive_needs_more_than_reference():
    read = readings("User-agent: *\nContent-Signal: use=reference\nAllow: /\n")
    verdict = judge_content_signal(read, intent(ARCHIVE))
    assert (verdict.action, verdict.reason) == (Action.SKIP, Reason.CONTENT_SIGNAL)
    assert judge_content_signal(read, intent(SEARCH)).action is Action.FETCH


def test_case_42_a_redirect_and_a_304_say_nothing_about_content():
    header = ("content-usage", "train-ai=n")
    signal = ("content-signal", "ai-train=no")
    for status in (301, 302, 304, 307):
        assert judge_usage_header(response(header, status=status), intent(TRAINING)).action is Action.KEEP
        assert judge_signal_header(response(signal, status=status), intent(TRAINING)).action is Action.KEEP
    for judge, line in ((judge_usage_header, header), (judge_signal_header, signal)):
        verdict = judge(response(line), intent(TRAINING))
        assert verdict.action is Action.SKIP
        assert verdict.evidence[0].text == ": ".join(line)


def test_case_38_a_policy_may_read_a_malformed_reservation_as_a_refusal():
    read = readings("User-agent: *\nContent-Usage: train-ai=no\n")
    default = judge_usage_preference(read, URL, intent(TRAINING))
    assert default.action is Action.FETCH
    assert "malformed-reservation" in default.evidence[0].note
    strict = judge_usage_preference(read, URL, intent(TRAINING, deny_malformed_preferences=True))
    assert (strict.action, strict.reason) == (Action.SKIP, Reason.USAGE_PREFERENCE)


def test_case_39_a_word_of_another_vocabulary_is_shown_and_does_nothing():
    read = readings("User-agent: *\nContent-Usage: ai-train=n\n")
    verdict = judge_usage_preference(read, URL, intent(*EVERY, deny_malformed_preferences=True))
    assert verdict.action is Action.FETCH
    assert "unknown-label" in verdict.evidence[0].note


def test_what_is_absent_passes_without_evidence_and_always_as_the_same_object():
    read = readings("User-agent: *\nDisallow: /x\n")
    who = intent(*EVERY)
    for judge in (
        lambda: judge_usage_preference(read, URL, who),
        lambda: judge_content_signal(read, who),
        lambda: judge_robots_noindex(read, URL, who),
        lambda: judge_ai_prohibition(read, URL, who),
        lambda: judge_peer_blocks(read, URL, who, load_ai_agents()),
        lambda: judge_visit_time(read, "ExampleBot", now_us=0),
        lambda: judge_request_rate(read, "ExampleBot", 300, now_us=0),
        lambda: judge_usage_header(response(), who),
        lambda: judge_signal_header(response(), who),
    ):
        assert judge() is judge()
        assert judge().evidence == ()
        assert judge().action.passes


def test_the_same_line_gives_the_same_verdict_object_for_every_url():
    read = readings("User-agent: *\nContent-Usage: train-ai=n\nNoindex: /\n")
    who = intent(TRAINING)
    assert judge_usage_preference(read, URL, who) is judge_usage_preference(read, URL + "b", who)
    assert judge_robots_noindex(read, URL, who) is judge_robots_noindex(read, URL + "b", who)


def test_a_file_that_does_not_govern_says_nothing_here():
    for access in (RobotsAccess.UNAVAILABLE, RobotsAccess.UNREACHABLE):
        read = readings("User-agent: *\nContent-Usage: train-ai=n\n", access)
        assert judge_usage_preference(read, URL, intent(TRAINING)).evidence == ()


def test_the_switch_for_other_ai_agents_lifts_their_row_and_no_other():
    read = readings("User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n")
    agents = load_ai_agents()
    by_default = judge_peer_blocks(read, URL, intent(TRAINING), agents)
    assert (by_default.action, by_default.reason) == (Action.SKIP, Reason.AI_AGENTS_BLOCKED)
    assert "CCBot" in by_default.evidence[0].note
    lifted = judge_peer_blocks(read, URL, intent(TRAINING, honour_peer_ai_blocks=False), agents)
    assert lifted.action is Action.FETCH
    assert lifted.evidence


def test_an_agent_that_collects_for_search_as_well_is_refused_for_training():
    read = readings("User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n")
    verdict = judge_peer_blocks(read, URL, intent(SEARCH, TRAINING), load_ai_agents())
    assert verdict.action is Action.SKIP
    assert "for ai-training" in verdict.evidence[0].note
    assert judge_peer_blocks(read, URL, intent(SEARCH), load_ai_agents()).evidence == ()


def test_case_36_outside_the_hours_a_request_is_put_off_until_they_begin():
    read = readings("User-agent: *\nVisit-time: 2300-0500\n")
    at_noon = judge_visit_time(read, "ExampleBot", now_us=12 * HOUR)
    assert (at_noon.action, at_noon.reason) == (Action.DEFER, Reason.VISIT_TIME)
    assert at_noon.retry_at == 23 * HOUR
    assert at_noon.evidence[0].text == "Visit-time: 2300-0500"
    assert judge_visit_time(read, "ExampleBot", now_us=13 * HOUR) is at_noon
    at_night = judge_visit_time(read, "ExampleBot", now_us=at_noon.retry_at)
    assert at_night.action is Action.FETCH
    assert at_night.evidence


def test_hours_that_never_come_are_a_refusal():
    read = readings(
        "User-agent: *\nVisit-time: 0100-0200\nDisallow:\n\nUser-agent: *\nVisit-time: 0300-0400\nDisallow:\n"
    )
    assert judge_visit_time(read, "ExampleBot", now_us=0).action is Action.SKIP


def test_a_rate_beyond_the_cap_is_refused_or_put_off_and_a_slower_rule_wins():
    read = readings("User-agent: *\nCrawl-delay: 7\nRequest-rate: 1/5\nRequest-rate: 1/10m 0600-0845\n")
    morning, noon = 7 * HOUR, 12 * HOUR
    assert longest_pause(read, "ExampleBot", now_us=morning) == 600
    assert longest_pause(read, "ExampleBot", now_us=noon) == 7
    assert judge_request_rate(read, "ExampleBot", 300, now_us=noon).action is Action.FETCH
    verdict = judge_request_rate(read, "ExampleBot", 300, now_us=morning)
    assert (verdict.action, verdict.reason) == (Action.DEFER, Reason.CRAWL_DELAY_TOO_LONG)
    assert verdict.retry_at == 8 * HOUR + HOUR // 4 * 3
    always = readings("User-agent: *\nRequest-rate: 1/10m\n")
    assert judge_request_rate(always, "ExampleBot", 300, now_us=0).action is Action.SKIP
    assert longest_pause(readings(""), "ExampleBot", now_us=0) is None


def test_case_35_crawl_delays_are_capped_ignored_or_the_larger():
    delays = {
        "1e9": 1e9, "nan": None, "-1": None, "10 # s": 10, "3\nCrawl-delay: 12": 12, "inf": None,
    }  # fmt: skip
    for value, seconds in delays.items():
        read = readings(f"User-agent: *\nCrawl-delay: {value}\n")
        assert longest_pause(read, "ExampleBot", now_us=0) == seconds


LINES = st.sampled_from(
    ["Content-Usage: train-ai=n", "Content-Usage: /a train-ai=y", "Content-Usage: search=n",
     "Content-Signal: ai-train=no", "Content-Signal: search=no, use=reference", "Content-Signal: use=full",
     "Noindex: /a", "NoAI: /", "Content-Usage: Train-ai=y", "Content-Signal: ai-train=yes"]
)  # fmt: skip
PURPOSES = st.frozensets(st.sampled_from(Purpose), min_size=1)


@given(lines=st.lists(LINES, max_size=6), more=LINES, some=PURPOSES, further=PURPOSES)
def test_a_further_purpose_or_a_further_refusal_never_permits_more(lines, more, some, further):
    def passes(rows, purposes):
        read = readings("User-agent: *\n" + "\n".join(rows))
        who = intent(*purposes)
        return all(
            verdict.action.passes
            for verdict in (
                judge_usage_preference(read, URL, who),
                judge_content_signal(read, who),
                judge_robots_noindex(read, URL, who),
                judge_ai_prohibition(read, URL, who),
            )
        )

    before = passes(lines, some)
    assert before or not passes(lines, some | further)
    if "y" not in more.rpartition("=")[2]:
        assert before or not passes([*lines, more], some)
