"""trust.txt: one attribute, once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.signals.trust_txt import parse_trust_txt


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        (b"datatrainingallowed=no", False),
        (b"datatrainingallowed=yes", True),
        (b"DataTrainingAllowed = NO # by order", False),
        (b"# datatrainingallowed=no", None),
        (b"member=https://x\r\ndatatrainingallowed=no\r\n", False),
        (b"\xef\xbb\xbfdatatrainingallowed=no", False),
        (b"datatrainingallowed=", None),
        (b"datatrainingallowed=maybe", None),
        (b"mydatatrainingallowed=no", None),
        (b"", None),
    ],
)
def test_case_55_the_value_is_read_without_regard_to_case(body, allowed):
    assert parse_trust_txt(body).allowed is allowed


def test_case_55_a_repetition_is_invalid_and_remembers_a_no():
    contradicting = parse_trust_txt(b"datatrainingallowed=yes\ndatatrainingallowed=no\n")
    assert (contradicting.allowed, contradicting.refused, contradicting.line) == (None, True, 2)
    twice = parse_trust_txt(b"datatrainingallowed=yes\ndatatrainingallowed=yes\n")
    assert (twice.allowed, twice.refused) == (None, False)
    assert "2 times" in twice.problem
    same = parse_trust_txt(b"datatrainingallowed=no\ndatatrainingallowed=no\n")
    assert (same.allowed, same.refused) == (None, True)


@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda tail: b"datatrainingallowed=" + tail))
def test_no_octets_raise_and_never_both_answers(body):
    read = parse_trust_txt(body)
    assert not (read.allowed and read.refused)
