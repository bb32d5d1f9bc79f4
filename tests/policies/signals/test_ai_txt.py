"""ai.txt in Spawning's form, and what only shares its name."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.signals.ai_txt import parse_ai_txt

HOST = "https://a.example"


def allowed(body, path, token="ExampleBot"):
    body = body if isinstance(body, bytes) else body.encode()
    return parse_ai_txt(body).judge(token, HOST + path).allowed


IMAGES = "# Spawning AI\n# Prevent datasets from using the following file types\nUser-Agent: *\nDisallow: *.jpg\nAllow: *.txt\n"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a.jpg", False), ("/a.JPG", False), ("/x/y.jpg?size=2", False), ("/a.jpeg", True), ("/jpg", True),
        ("/a.txt", True), ("/", True), ("/a.png", True),
    ],
)  # fmt: skip
def test_case_53_an_extension_refuses_its_files_only(path, expected):
    assert allowed(IMAGES, path) is expected


@pytest.mark.parametrize("everything", ["/", "*", "/*", " / "])
def test_everything_can_be_refused_and_an_extension_excepted(everything):
    body = f"User-Agent: *\nDisallow: {everything}\nAllow: *.txt\n"
    assert not allowed(body, "/a.html")
    assert allowed(body, "/a.txt")


def test_an_allowed_extension_in_a_query_lets_nothing_pass():
    assert not allowed("User-Agent: *\nDisallow: /\nAllow: *.txt\n", "/secret?x=.txt")


def test_a_tie_refuses():
    assert not allowed("User-agent: *\nAllow: /x\nDisallow: /x\n", "/x")


def test_the_own_group_replaces_that_of_everybody():
    body = "User-agent: *\nDisallow: /\n\nUser-agent: ExampleBot\nDisallow: /x\n"
    assert allowed(body, "/y")
    assert not allowed(body, "/x")
    assert not allowed(body, "/y", token="Other")


def test_a_rule_before_any_group_is_everybodys():
    assert not allowed("Disallow: /\n", "/x")


def test_a_bare_extension_and_a_path_without_slash_are_read():
    assert not allowed("User-agent: *\nDisallow: .mp3\n", "/a.mp3")
    assert not allowed("User-agent: *\nDisallow: private/\n", "/private/1")


def test_an_empty_disallow_refuses_nothing():
    assert allowed("User-agent: *\nDisallow:\n", "/x")


OTHER_FORMATS = [
    "# Our site\n\nWe are glad to help models.\n\n- Contact: x\n- License: CC\n\n## Usage\ntext\n",
    "# ai.txt\nallow training: no\ncontact: mailto:x@example\n",
    "version: 1\ntraining: disallow\n",
    '{"training": "no"}',
    "Lorem ipsum\ndolor\nsit\namet\nUser-agent: *\nDisallow: /\nmore\nmore\nmore\n",
    "User-agent: *\n",
    "",
]


@pytest.mark.parametrize("body", OTHER_FORMATS)
def test_case_54_another_format_holds_no_statement_and_says_so(body):
    read = parse_ai_txt(body.encode())
    assert not read.speaks
    assert "another format" in read.problem
    assert read.judge("ExampleBot", f"{HOST}/a").allowed


def test_the_deciding_line_is_cited():
    answer = parse_ai_txt(IMAGES.encode()).judge("ExampleBot", f"{HOST}/a.jpg")
    assert (answer.line, answer.text, answer.group) == (4, "Disallow: *.jpg", "*")


def test_too_many_rules_refuse_everything():
    body = b"User-agent: *\n" + b"Disallow: /x\n" * 25_000
    read = parse_ai_txt(body)
    assert not read.judge("ExampleBot", f"{HOST}/other").allowed
    assert "more than" in read.problem
    crowd = b"User-agent: a\n" * 20_000 + b"Disallow: /x\n" * 17_000
    assert not parse_ai_txt(crowd).judge("ExampleBot", f"{HOST}/other").allowed


def test_many_names_with_many_rules_cost_their_sum_and_not_their_product():
    names = b"".join(
        b"User-agent: %s%s\n" % (bytes([97 + n // 70]), bytes([97 + n % 26])) for n in range(1_800)
    )
    start = time.process_time()
    parse_ai_txt(names + b"Disallow: /x\n" * 4_900).judge("ExampleBot", f"{HOST}/x")
    assert time.process_time() - start < 0.5


def test_half_a_megabyte_of_wildcards_is_judged_in_time():
    body = b"User-agent: *\n" + b"".join(b"Disallow: *a*a*a*a*b%d\n" % number for number in range(4_900))
    start = time.process_time()
    read = parse_ai_txt(body)
    assert not read.judge("ExampleBot", HOST + "/" + "a" * 60_000).allowed
    assert time.process_time() - start < 1


@given(st.binary(max_size=300) | st.text(alphabet="Uuser-agnt:*Dilow/.jpg\n# ", max_size=200).map(str.encode))
def test_no_octets_raise(body):
    parse_ai_txt(body).judge("ExampleBot", f"{HOST}/a.jpg")


@given(st.text(alphabet="abc/*.$", min_size=1, max_size=10))
def test_adding_a_refusal_never_permits_more(pattern):
    body = "User-agent: *\nDisallow: /a\nAllow: /ab\n"
    more = parse_ai_txt(f"{body}Disallow: {pattern}\n".encode())
    for path in ("/a", "/ab", "/b.c", "/abc.a"):
        if not allowed(body, path):
            assert not more.judge("ExampleBot", HOST + path).allowed
