"""Laws of reading robots.txt that hold for every file."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.signals.robots import parse_robots

HOST = "https://example.com"
TOKENS = ["ExampleBot", "Other", "*"]
SEGMENT = st.text(alphabet="abX~%2Fé*$.-", min_size=0, max_size=6)
PATTERN = st.builds("/{}/{}".format, SEGMENT, SEGMENT)
RULE = st.builds("{}: {}".format, st.sampled_from(["Allow", "Disallow"]), PATTERN)
GROUP = st.builds(
    lambda agents, rules: [*(f"User-agent: {agent}" for agent in agents), *rules],
    st.lists(st.sampled_from(TOKENS), min_size=1, max_size=3),
    st.lists(RULE, min_size=1, max_size=4),
)
GROUPS = st.lists(GROUP, min_size=1, max_size=4)
PATH = st.builds("/{}/{}".format, *(2 * [st.text(alphabet="abX~é.-/?", max_size=6)]))
UNKNOWN = st.sampled_from(
    [
        "Crawl-delay: 3",
        "Content-Signal: ai-train=no",
        "Content-Usage: train-ai=n",
        "License: x",
        "Foo: bar",
        "junk",
        "",
        "# c",
        "Sitemap: s",
        "Noindex: /",
    ]
)


def verdict(lines, path):
    return parse_robots("\n".join(lines).encode()).judge("ExampleBot", HOST + path).allowed


def flat(groups):
    return [line for group in groups for line in group]


@given(groups=GROUPS, path=PATH, extra=st.data())
def test_other_records_anywhere_never_change_a_verdict(groups, path, extra):
    lines = flat(groups)
    mixed = []
    for line in lines:
        mixed += extra.draw(st.lists(UNKNOWN, max_size=2))
        mixed.append(line)
    assert verdict(mixed, path) == verdict(lines, path)


@given(groups=GROUPS, path=PATH, order=st.randoms(use_true_random=False))
def test_the_order_of_groups_and_of_rules_never_changes_a_verdict(groups, path, order: random.Random):
    shuffled = []
    for group in groups:
        agents = [line for line in group if line.startswith("User-agent")]
        rules = [line for line in group if not line.startswith("User-agent")]
        order.shuffle(agents)
        order.shuffle(rules)
        shuffled.append(agents + rules)
    order.shuffle(shuffled)
    assert verdict(flat(shuffled), path) == verdict(flat(groups), path)


@given(groups=GROUPS, path=PATH, pattern=PATTERN)
def test_a_further_disallow_in_our_own_group_never_allows_and_a_further_allow_never_forbids(
    groups, path, pattern
):
    lines = [*flat(groups), "User-agent: ExampleBot", "Disallow: /never/seen"]
    before = verdict(lines, path)
    assert verdict([*lines, f"Disallow: {pattern}"], path) <= before
    assert verdict([*lines, f"Allow: {pattern}"], path) >= before


@given(groups=GROUPS, path=PATH)
def test_the_case_of_field_names_tokens_and_hex_digits_never_matters(groups, path):
    lines = flat(groups)
    swapped = []
    for line in lines:
        key, _, value = line.partition(": ")
        if key == "User-agent":
            value = value.swapcase()
        swapped.append(f"{key.swapcase()}:{value.replace('%2F', '%2f')}")
    assert verdict(swapped, path) == verdict(lines, path)


@given(path=PATH, rule=PATTERN)
def test_escaping_unreserved_or_non_ascii_octets_of_the_url_never_changes_a_verdict(path, rule):
    lines = ["User-agent: *", f"Disallow: {rule}"]
    escaped = "".join(
        char if char in "/?.-" else "".join(f"%{octet:02x}" for octet in char.encode()) for char in path
    )
    assert verdict(lines, escaped) == verdict(lines, path)


@given(groups=GROUPS, path=PATH, end=st.sampled_from(["\r", "\r\n"]))
def test_the_kind_of_line_end_never_changes_a_verdict(groups, path, end):
    lines = flat(groups)
    body = (end.join(lines) + end).encode()
    assert parse_robots(b"\xef\xbb\xbf" + body).judge("ExampleBot", HOST + path).allowed == verdict(
        lines, path
    )


@settings(max_examples=300)
@given(body=st.binary(max_size=300), url=st.text(max_size=40), token=st.text(max_size=12))
def test_no_octets_no_url_and_no_token_make_reading_fail(body, url, token):
    rules = parse_robots(body)
    assert rules.judge(token, url).allowed in {True, False}
    assert rules.judge("ExampleBot", f"http://a/{url}").explanation
    assert len(rules.records()) + rules.ignored_count <= len(body) + 1
    assert rules.sitemaps is not None


KEYS = st.sampled_from(
    [b"user-agent", b"User-Agent", b"disallow", b"allow", b"Dissallow", b"useragent", b"crawl-delay", b"x"]
)
LINE = st.builds(
    lambda key, gap, value, end: key + gap + value + end,
    KEYS,
    st.sampled_from([b":", b": ", b" ", b" : ", b"::", b"\x00:"]),
    st.sampled_from([b"*", b"/", b"ExampleBot", b"", b"/\xe9", b"/*$", b"nan", b"/a#b", b"* /"]),
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\x0b", b"\x85"]),
)


@settings(max_examples=300)
@given(lines=st.lists(LINE, max_size=8))
def test_no_mangled_line_makes_reading_fail(lines):
    answer = parse_robots(b"".join(lines)).judge("ExampleBot", "http://a/b")
    assert answer.allowed or answer.line is not None
