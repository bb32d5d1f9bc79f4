"""Hosts are counted under the name that their owner registered, without asking the network."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists import domain
from blocklists.domain import is_public_suffix, psl_version, registrable_domain, suffix_rules


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("www.example.com", "example.com"),
        ("a.b.example.co.jp", "example.co.jp"),
        ("example.co.jp", "example.co.jp"),
        ("a.foo.blogspot.com", "foo.blogspot.com"),
        ("foo.github.io", "foo.github.io"),
        ("a.b.c.kawasaki.jp", "b.c.kawasaki.jp"),
        ("a.city.kawasaki.jp", "city.kawasaki.jp"),
        ("a.www.ck", "www.ck"),
        ("a.foo.ck", "a.foo.ck"),
        ("www.xn--wgv71a.jp", "xn--wgv71a.jp"),
        ("a.b.unknown-top-level", "b.unknown-top-level"),
        ("com", "com"),
        ("github.io", "github.io"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_registrable_domain_follows_both_sections_of_the_list(host, expected):
    assert registrable_domain(host) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("com", True),
        ("co.uk", True),
        ("blogspot.com", True),
        ("github.io", True),
        ("foo.ck", True),
        ("www.ck", False),
        ("example.com", False),
        ("a.github.io", False),
        ("1.2.3.4", False),
        ("unknown-top-level", True),
        ("a.unknown-top-level", False),
    ],
)
def test_a_public_suffix_is_recognised_in_both_sections(host, expected):
    assert is_public_suffix(host) is expected


def test_a_public_suffix_is_what_the_list_says_of_every_one_of_its_rules():
    # tldextract and we differ for a wildcard below another wildcard alone, where the algorithm of the list
    # (https://github.com/publicsuffix/list/wiki/Format) makes the name a suffix.
    rules = suffix_rules()
    assert len(rules.names) > 9_000
    names = [*rules.names, *rules.exceptions, *rules.parents]
    names += [f"x.{name}" for name in names] + [f"x.y.{name}" for name in rules.parents]
    different = {
        name
        for name in names
        if is_public_suffix(name) is not (domain._suffix_length(name) == name.count(".") + 1)
    }
    assert all(
        name.partition(".")[2] in rules.parents and name in rules.parents and is_public_suffix(name)
        for name in different
    )
    assert len(different) < 20


def test_the_list_in_use_is_named_by_its_digest():
    assert psl_version().startswith("sha256:")
    assert len(psl_version()) == len("sha256:") + 64


def test_nothing_is_downloaded_or_cached_on_disk(monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise AssertionError("a network connection was opened")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS", "http://127.0.0.1:9/list")
    domain._extractor.cache_clear()
    registrable_domain.cache_clear()
    assert registrable_domain("a.nowhere-else.example.co.uk") == "example.co.uk"
    assert list(Path(tmp_path).rglob("*")) == []


@given(st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=6).map(".".join))
def test_a_registrable_domain_is_the_host_or_a_parent_and_its_own(host):
    registrable = registrable_domain(host)
    assert host == registrable or host.endswith("." + registrable)
    assert registrable_domain(registrable) == registrable
