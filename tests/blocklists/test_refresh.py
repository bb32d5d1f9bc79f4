"""The rules of a refresh, without a network: when, with which conditions, and what an answer is worth."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from blocklists import store
from blocklists.canaries import CanaryProblem, Sign
from blocklists.entry import Source, Weight
from blocklists.errors import ListError, UsageError
from blocklists.manifest import Manifest
from blocklists.refresh_judge import (
    ACCEPTABLE,
    Answer,
    Concern,
    Demands,
    LastGood,
    Outcome,
    Reading,
    is_pinned,
    judge_answer,
)
from blocklists.refresh_minisign import parse_public_key, what_is_wrong
from blocklists.refresh_plan import (
    DAY_US,
    HOUR_US,
    Freshness,
    SourceState,
    age_words,
    clamp_hours,
    conditional_headers,
    due_at,
    is_due,
    judge_age,
)
from blocklists.refresh_sources import (
    Definition,
    known_definitions,
    load_definitions,
    pins_of,
    wanted_definitions,
)
from blocklists.refresh_state import last_outcome, list_ages, load_states, require_fresh, save_states
from blocklists.refresh_store import encode_toml, held_octets, manifest_of, put_held

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 1_000_000
DEMANDS = Demands(pinned_hosts=frozenset({"lists.example"}))
BODY = b"bad.example\n"
DIGEST = hashlib.sha256(BODY).hexdigest()
LAST = LastGood(sha256="1" * 64, entries=100)
URL = "https://lists.example/a.txt"


def judge(*, body=BODY, status=200, last=LAST, reading=None, demands=DEMANDS, accepted="", url=URL, **more):
    reading = reading or Reading(entries=100)
    answer = Answer(url=url, status=status, body=body, **more)
    return judge_answer(demands, answer, last, lambda _: reading, accepted_sha256=accepted)


def concerns(decision):
    return [concern for concern, _ in decision.concerns]


# --- when, and with which conditions


@pytest.mark.parametrize(
    ("said", "hours"), [(None, 24), (0, 6), (1, 6), (6, 6), (24, 24), (168, 168), (169, 168), (10**9, 168)]
)
def test_a_list_is_asked_for_between_six_hours_and_seven_days_whatever_it_says(said, hours):
    assert clamp_hours(said) == hours
    state = SourceState(sha256="a", tried_at=NOW, expires_hours=said)
    assert due_at(state) == NOW + hours * HOUR_US
    assert not is_due(state, NOW + hours * HOUR_US - 1)
    assert is_due(state, NOW + hours * HOUR_US)


def test_what_was_never_tried_has_failed_or_was_tried_in_the_future_is_due_sooner():
    assert is_due(SourceState(), 0)
    assert due_at(SourceState(sha256="a", tried_at=NOW, expires_hours=168, failures=1)) == NOW + 6 * HOUR_US
    assert due_at(SourceState(tried_at=NOW, expires_hours=168)) == NOW + 6 * HOUR_US
    assert is_due(SourceState(sha256="a", tried_at=NOW + DAY_US), NOW)  # a clock that was set back


def test_conditions_are_only_sent_for_octets_that_are_here():
    known = SourceState(sha256="a", etag='"x"', last_modified="yesterday")
    assert conditional_headers(known) == (("If-None-Match", '"x"'), ("If-Modified-Since", "yesterday"))
    assert conditional_headers(SourceState(etag='"x"')) == ()
    assert conditional_headers(SourceState(sha256="a")) == ()


def test_ages_are_fresh_stale_and_expired_in_this_order():
    ages = [judge_age(NOW - days * DAY_US, NOW, warn_days=14, refuse_days=90) for days in (0, 14, 15, 90, 91)]
    assert ages == [Freshness.FRESH, Freshness.FRESH, Freshness.STALE, Freshness.STALE, Freshness.EXPIRED]
    assert judge_age(None, NOW, warn_days=14, refuse_days=90) is Freshness.EXPIRED
    assert [age_words(NOW - hours * HOUR_US, NOW) for hours in (-1, 5, 24, 30, 49)] == [
        "0 hours", "5 hours", "24 hours", "30 hours", "2 days",
    ]  # fmt: skip
    assert age_words(None, NOW) == "never"


# --- what an answer is worth


def test_a_list_that_looks_like_the_last_one_is_accepted_and_the_same_octets_are_unchanged():
    assert judge().outcome is Outcome.ACCEPTED
    assert judge(last=LastGood(sha256=DIGEST, entries=1)).outcome is Outcome.UNCHANGED
    assert judge(status=304, body=b"").outcome is Outcome.UNCHANGED
    assert judge(last=None).sha256 == DIGEST


@pytest.mark.parametrize(
    ("more", "concern"),
    [
        ({"error": "no route"}, Concern.UNREACHABLE),
        ({"status": None}, Concern.UNREACHABLE),
        ({"status": 304, "last": None}, Concern.NOTHING_TO_KEEP),
        ({"status": 500}, Concern.STATUS),
        ({"status": 206}, Concern.STATUS),
        ({"url": "https://lists.example.evil.test/a.txt"}, Concern.HOST_NOT_PINNED),
        ({"too_large": True}, Concern.TOO_LARGE),
    ],
)
def test_no_list_at_all_is_a_failure(more, concern):
    decision = judge(**more)
    assert (decision.outcome, concerns(decision)) == (Outcome.FAILED, [concern])


@pytest.mark.parametrize(
    ("more", "concern"),
    [
        ({"body": b""}, Concern.NOT_A_LIST),
        ({"body": b" \r\n"}, Concern.NOT_A_LIST),
        ({"body": b"\xef\xbb\xbf \n<!DOCTYPE html>"}, Concern.NOT_A_LIST),
        ({"body": b'{"error": "rate limit"}'}, Concern.NOT_A_LIST),
        ({"reading": Reading(problem="line 1: is not a host name")}, Concern.NOT_UNDERSTOOD),
        ({"reading": Reading(miscounted="its header says 3")}, Concern.COUNT),
        ({"reading": Reading(entries=79)}, Concern.SHRUNK),
        ({"reading": Reading(entries=151)}, Concern.GREW),
        ({"demands": Demands(pinned_hosts=DEMANDS.pinned_hosts, sha256="0" * 64)}, Concern.DIGEST),
        (
            {"reading": Reading(entries=100, canaries=(CanaryProblem(name="google.com", sign=Sign.UNWANTED),))},
            Concern.UNWANTED_NAME,
        ),
        (
            {"reading": Reading(entries=100, canaries=(CanaryProblem(name="bad.example", sign=Sign.MISSING),))},
            Concern.MISSING_NAME,
        ),
    ],
)  # fmt: skip
def test_what_is_no_good_list_is_held_and_only_what_a_person_can_judge_is_acceptable(more, concern):
    decision = judge(**more)
    assert (decision.outcome, concerns(decision)) == (Outcome.HELD, [concern])
    body = more.get("body", BODY)
    reviewed = judge(**more, accepted=hashlib.sha256(body).hexdigest())
    assert (reviewed.outcome is Outcome.ACCEPTED) == (concern in ACCEPTABLE)
    assert judge(**more, accepted="0" * 64).outcome is Outcome.HELD  # another list was accepted


@pytest.mark.parametrize("entries", [80, 100, 150])
def test_a_change_within_the_limits_is_no_concern(entries):
    assert judge(reading=Reading(entries=entries)).outcome is Outcome.ACCEPTED


def test_shares_of_a_short_list_and_of_a_first_list_mean_nothing():
    assert (
        judge(last=LastGood(sha256="1" * 64, entries=10), reading=Reading(entries=3)).outcome
        is Outcome.ACCEPTED
    )
    assert judge(last=None, reading=Reading(entries=10**6)).outcome is Outcome.ACCEPTED


@given(last=st.integers(50, 10**6), now=st.integers(0, 10**6))
def test_a_list_never_loses_a_fifth_or_gains_half_unseen(last, now):
    decision = judge(last=LastGood(sha256="1" * 64, entries=last), reading=Reading(entries=now))
    assert (decision.outcome is Outcome.ACCEPTED) == (0.8 * last <= now <= 1.5 * last)


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("https://lists.example/x", True),
        ("https://LISTS.example./x", True),
        ("https://lists.example:444/x", True),
        ("ftp://lists.example/x", False),
        ("https://lists.example@evil.test/x", False),
        ("https://a.lists.example/x", False),
        ("https://[::1/x", False),
        ("", False),
    ],
)
def test_pins_are_hosts_and_nothing_like_them(url, pinned):
    assert is_pinned(url, DEMANDS.pinned_hosts) is pinned


# --- signatures

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
KEY_ID = bytes(range(8))
PUBLIC = base64.b64encode(
    b"Ed" + KEY_ID + KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
).decode()


def minisig(body, *, algorithm=b"ED", key_id=KEY_ID, comment="timestamp:1", sign_comment=None):
    signed = KEY.sign(body if algorithm == b"Ed" else hashlib.blake2b(body).digest())
    overall = KEY.sign(signed + (sign_comment or comment).encode())
    return (
        "untrusted comment: signature\n"
        f"{base64.b64encode(algorithm + key_id + signed).decode()}\n"
        f"trusted comment: {comment}\n"
        f"{base64.b64encode(overall).decode()}\n"
    ).encode()


@pytest.mark.parametrize("algorithm", [b"Ed", b"ED"])
def test_both_forms_of_a_minisign_signature_are_verified(algorithm):
    key = parse_public_key(f"untrusted comment: minisign public key\n{PUBLIC}\n")
    assert what_is_wrong(key, minisig(BODY, algorithm=algorithm), BODY) == ""
    assert (
        what_is_wrong(key, minisig(BODY, algorithm=algorithm), BODY + b"x")
        == "the signature does not fit these octets"
    )


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (b"", "not minisign's"),
        (b"\xff", "not UTF-8"),
        (minisig(BODY, key_id=b"87654321"), "pinned is 0706050403020100"),
        (minisig(BODY, algorithm=b"XX"), "unknown signature algorithm"),
        (minisig(BODY, comment="changed", sign_comment="as signed"), "trusted comment was changed"),
        (minisig(BODY).replace(b"trusted comment: t", b"trusted: t"), "no trusted comment"),
        (minisig(BODY).replace(b"=", b""), "not the length"),
    ],
)
def test_anything_else_is_no_signature(signature, words):
    assert words in what_is_wrong(parse_public_key(PUBLIC), signature, BODY)


@given(st.binary(max_size=400))
def test_a_hostile_signature_never_raises_and_never_passes(octets):
    assert what_is_wrong(parse_public_key(PUBLIC), octets, BODY)


@pytest.mark.parametrize("text", ["", "x", PUBLIC[:-4], base64.b64encode(b"XX" + bytes(40)).decode()])
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(ValueError, match="not a minisign public key"):
        parse_public_key(text)


# --- definitions


def define(folder, name="a", **more):
    members = {
        "id": name, "title": name, "urls": [URL], "pinned_hosts": ["lists.example"], "format": "plain",
        "weight": "community", "licence": "MIT", "licence_accepted": True,
    } | more  # fmt: skip
    path = folder / "sources" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in members.items()))
    return path


def test_the_definitions_that_ship_are_off_and_ask_pinned_hosts_over_https_only():
    known = known_definitions()
    assert known
    for definition, octets in known.values():
        assert not definition.licence_accepted
        assert octets.count(b"licence_accepted = false") == 1
        assert all(url.startswith("https://") for url in definition.urls)
        assert definition.must_have


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"urls": ["https://evil.test/a.txt"]}, "whose host is not among `pinned_hosts`"),
        ({"urls": ["http://lists.example/a.txt"]}, "a list is fetched over https"),
        ({"pinned_hosts": ["Lists.Example"]}, "not a host name in its usual spelling"),
        ({"weight": "court_order"}, "`authority` must name who decided"),
        ({"minisign_key": "RWxx"}, "not a minisign public key"),
        ({"licence": ""}, "`licence`"),
        ({"colour": "red"}, "is not a key of this file"),
        ({"max_shrink": 1}, "`max_shrink`"),
    ],
)
def test_a_definition_that_could_ask_anything_else_is_refused_with_its_file(tmp_path, more, words):
    define(tmp_path, **more)
    with pytest.raises(ListError, match=r"a\.toml") as refused:
        load_definitions(tmp_path)
    assert words in str(refused.value)


def test_only_accepted_definitions_pin_hosts_and_are_wanted(tmp_path):
    define(tmp_path, "on")
    define(
        tmp_path,
        "off",
        licence_accepted=False,
        urls=["https://other.example/"],
        pinned_hosts=["other.example"],
    )
    assert pins_of(tmp_path) == {"lists.example"}
    assert [one.id for one in wanted_definitions(tmp_path, ())] == ["on"]
    assert [one.id for one in wanted_definitions(tmp_path, ["on"])] == ["on"]
    with pytest.raises(ListError, match="licence was not accepted: MIT"):
        wanted_definitions(tmp_path, ["off"])
    with pytest.raises(UsageError, match="no list 'nowhere' is defined"):
        wanted_definitions(tmp_path, ["nowhere"])
    (tmp_path / "sources" / "on.toml").rename(tmp_path / "sources" / "other.toml")
    with pytest.raises(ListError, match=r"name the file on\.toml"):
        load_definitions(tmp_path)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30).filter(str.strip)


@given(title=TEXTS, authority=TEXTS, licence=TEXTS, category=TEXTS, column=TEXTS)
def test_a_written_manifest_means_what_the_definition_says(title, authority, licence, category, column):
    definition = Definition(
        id="a", title=title, urls=(URL,), pinned_hosts=("lists.example",), format="csv", weight="court_order",
        licence=licence, authority=authority, category=category, reviewed_on=date(2026, 1, 2),
        columns={"pattern": column}, delimiter=";",
    )  # fmt: skip
    manifest = manifest_of(definition, digest=DIGEST, address=URL, fetched_at=NOW)
    assert Manifest.model_validate(tomllib.loads(encode_toml(manifest))) == manifest


# --- what is remembered


def test_states_come_back_as_they_were_saved(tmp_path):
    states = {"a": SourceState(sha256="x", etag='"é"', checked_at=NOW, failures=2), "b": SourceState()}
    save_states(tmp_path, states)
    assert load_states(tmp_path) == states
    assert load_states(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"schema": "sekisho.blocklists-state/1"}', '{"schema": "x", "lists": {}}',
        '{"schema": "sekisho.blocklists-state/1", "lists": {"a": {"colour": 1}}}',
        '{"schema": "sekisho.blocklists-state/1", "lists": {"a": {"failures": "many"}}}',
        '{"schema": "sekisho.blocklists-state/1", "lists": {"a": 1}}',
    ],
)  # fmt: skip
def test_a_damaged_state_file_is_an_error_that_says_what_to_do(tmp_path, text):
    (tmp_path / store.STATE).write_text(text)
    with pytest.raises(ListError, match=r"state\.json: is (damaged.*remove it|of another version)"):
        load_states(tmp_path)


def source(name, fetched_at=None):
    return Source(source_id=name, title=name, sha256="0" * 64, weight=Weight.COMMUNITY, fetched_at=fetched_at)


def test_what_became_of_the_last_refresh_is_told_by_the_state():
    tried = {"tried_at": 7, "sha256": "a"}
    assert last_outcome(SourceState()) is None
    assert last_outcome(SourceState(**tried, fetched_at=7)) is Outcome.ACCEPTED
    assert last_outcome(SourceState(**tried, fetched_at=3, checked_at=7)) is Outcome.UNCHANGED
    assert last_outcome(SourceState(**tried, fetched_at=3, failures=2)) is Outcome.FAILED
    assert last_outcome(SourceState(**tried, fetched_at=3, failures=2, held_sha256="b")) is Outcome.HELD


def test_a_confirmation_makes_a_list_younger_and_lists_of_our_own_do_not_age(tmp_path):
    sources = [source("old", NOW - 100 * DAY_US), source("confirmed", NOW - 100 * DAY_US), source("own")]
    save_states(tmp_path, {"confirmed": SourceState(checked_at=NOW - DAY_US)})
    ages = list_ages(tmp_path, sources, now_us=NOW, warn_days=14, refuse_days=90)
    assert [(age.source_id, age.freshness) for age in ages] == [
        ("old", Freshness.EXPIRED), ("confirmed", Freshness.FRESH),
    ]  # fmt: skip
    with pytest.raises(
        ListError, match=r"more than 90 days: old \(100 days\); run: sekisho blocklists refresh"
    ):
        require_fresh(tmp_path, sources, now_us=NOW, refuse_days=90)
    require_fresh(tmp_path, sources[1:], now_us=NOW, refuse_days=90)


def test_what_is_held_can_be_reviewed_and_is_only_given_back_under_its_own_digest(tmp_path):
    decision = judge(reading=Reading(entries=1))
    path = put_held(tmp_path, "a", BODY, decision)
    assert path.read_bytes() == BODY
    assert "shrunk: 100 entries before, 1 now" in path.with_suffix(".txt").read_text()
    assert held_octets(tmp_path, "a", DIGEST) == BODY
    path.write_bytes(b"changed after review\n")
    assert held_octets(tmp_path, "a", DIGEST) is None
    put_held(tmp_path, "a", b"newer.example\n", judge(body=b"newer.example\n", reading=Reading(entries=1)))
    assert len(list((tmp_path / "held").iterdir())) == 2  # the newest, and why
