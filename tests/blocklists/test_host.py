"""One host has one spelling, and what readers disagree about is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.host import canonical_host, host_keys, is_ip_address, split_origin, uts46_name

HOSTS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="abZ09.-_%xnü。ß[]:@/\\", max_size=40),
    st.lists(st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True), min_size=1, max_size=5).map(".".join),
    st.ip_addresses().map(str),
    st.integers(min_value=-1, max_value=2**33).map(str),
    st.integers(min_value=0, max_value=2**33).map(hex),
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("bad.example", "bad.example"),
        ("BAD.Example.", "bad.example"),
        ("%62ad.example", "bad.example"),
        ("bad.example%2e", "bad.example"),
        ("ｂａｄ.example", "bad.example"),
        ("bad。example", "bad.example"),
        ("ba\u00add.example", "bad.example"),
        ("日本.example", "xn--wgv71a.example"),
        ("my_site.example", "my_site.example"),
        ("localhost", "localhost"),
        ("109.238.9.3", "109.238.9.3"),
        ("109.238.9.3.", "109.238.9.3"),
        ("1844316419", "109.238.9.3"),
        ("0x6dee0903", "109.238.9.3"),
        ("0X6D.0356.0x903", "109.238.9.3"),
        ("0155.0356.011.03", "109.238.9.3"),
        ("１０９.238.9.3", "109.238.9.3"),
        ("0", "0.0.0.0"),
        ("127.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"),
        ("[::ffff:109.238.9.3]", "109.238.9.3"),
        ("[::FFFF:6dee:903]", "109.238.9.3"),
        ("0xg.example", "0xg.example"),
        ("1.example", "1.example"),
        ("xn--a.example", "xn--a.example"),  # as fetched: Scrapy sends it on unchanged
    ],
)
def test_every_notation_of_a_host_has_one_spelling(raw, expected):
    assert canonical_host(raw) == expected
    assert host_keys(raw) == (expected,)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "..",
        "bad.example..",
        ".bad.example",
        "a..b",
        "a b.example",
        "a\tb.example",
        "a\x00b.example",
        "a%00b.example",
        "a%2fb.example",
        "a%40b.example",
        "%2562ad.example",  # decoded once, a percent sign remains
        "%ff.example",
        "%zz.example",
        "a/b",
        "a@b",
        "a:80",
        "a!b.example",
        "*.example",
        "256.1.1.1",
        "1.2.3.4.5",
        "1.2.3.08",
        "4294967296",
        "1.0x",
        "bad.example.1",
        "[bad.example]",
        "[::1",
        "::1]",
        "[::1%25eth0]",
        "[fe80::1%eth0]",
        "[v1.x]",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "a" * 100_000,
        "\ud800.example",
        "a／b.example",
        "℀.example",
    ],
)
def test_an_unparsable_host_has_no_key(raw):
    assert canonical_host(raw) is None
    assert host_keys(raw) == ()


def test_hard_case_10_the_fetched_form_comes_first_and_the_other_form_is_kept_beside_it():
    assert host_keys("faß.de") == ("fass.de", "xn--fa-hia.de")
    assert canonical_host("faß.de") == "fass.de"
    assert host_keys("fass.de") == ("fass.de",)
    assert host_keys("xn--fa-hia.de") == ("xn--fa-hia.de",)


def test_a_registered_name_is_read_as_its_owner_writes_it():
    assert uts46_name("faß.de") == "xn--fa-hia.de"
    assert uts46_name("BAD.Example.") == "bad.example"
    assert uts46_name("💩.example") == "xn--ls8h.example"
    assert uts46_name("a b") is None
    assert uts46_name("ü" * 2000) is None


@given(HOSTS)
def test_canonicalising_twice_changes_nothing(raw):
    once = canonical_host(raw)
    if once is not None:
        assert canonical_host(once) == once
        assert once == once.lower()
        assert once.isascii()
        assert not once.endswith(".")


@given(HOSTS)
def test_the_canonical_host_is_the_first_key(raw):
    keys = host_keys(raw)
    assert canonical_host(raw) == (keys[0] if keys else None)
    assert len(set(keys)) == len(keys)


@given(st.ip_addresses())
def test_addresses_are_recognised_and_names_are_not(address):
    host = canonical_host(str(address))
    assert host is not None
    assert is_ip_address(host)
    assert not is_ip_address(f"{str(address).replace(':', '-')}.example")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_in_every_notation(address):
    number = int(address)
    first, rest = number >> 24, number & 0xFFFFFF
    spellings = {str(number), hex(number), f"0{number:o}", f"{first}.{rest}", f"{first:#x}.{rest}"}
    assert {canonical_host(spelling) for spelling in spellings} == {str(address)}
    assert canonical_host(f"[::ffff:{address}]") == str(address)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://BAD.example./x", ("https", "bad.example", 443)),
        ("HTTP://bad.example", ("http", "bad.example", 80)),
        ("http://bad.example?x", ("http", "bad.example", 80)),
        ("http://bad.example#x", ("http", "bad.example", 80)),
        ("http://bad.example:/", ("http", "bad.example", 80)),
        ("http://bad.example:0008443/", ("http", "bad.example", 8443)),
        ("http://bad.example:65535/", ("http", "bad.example", 65535)),
        ("http://u:p@bad.example/", ("http", "bad.example", 80)),
        ("http://u:p@x@bad.example:81/", ("http", "bad.example", 81)),
        ("http://bad.example@ok.example/", ("http", "ok.example", 80)),
        ("http://ok.example/?u=http://bad.example", ("http", "ok.example", 80)),
        ("http://ok.example/\\bad.example", ("http", "ok.example", 80)),
        ("https://[2001:db8::1]:8443/", ("https", "2001:db8::1", 8443)),
        ("http://[::ffff:109.238.9.3]/", ("http", "109.238.9.3", 80)),
        ("http://ü@bad.example/", ("http", "bad.example", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, expected):
    assert split_origin(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bad.example",
        "//bad.example/",
        "ftp://bad.example/",
        "data:text/plain,x",
        "http:bad.example",
        "http:/bad.example/",
        "http://",
        "http:///bad.example/",
        "http://:80/",
        "http://@/",
        "http://bad.example:0/",
        "http://bad.example:65536/",
        "http://bad.example:-1/",
        "http://bad.example:+80/",
        "http://bad.example:8_0/",
        "http://bad.example:٨٠/",
        "http://bad.example:80:81/",
        "http://bad.example\\@ok.example/",
        "http://bad.example\\/",
        "http://ok.example\n.bad.example/",
        "http://ok.example\t/",
        "http://ok example/",
        "\x00http://ok.example/",
        "http://::1/",
        "http://[::1/",
        "http://::1]/",
        "http://[::1]x/",
        "http://x[::1]/",
        "http://[::1]@ok.example/",
        "http://[::1%25lo]/",
        "http://ok.example＠bad.example/",
        "http://a？@bad.example/",
        "http://ok.example／bad.example/",
        "httpſ://bad.example/",
    ],
)
def test_what_must_not_be_fetched_has_no_origin(url):
    assert split_origin(url) is None


@given(
    st.one_of(
        st.text(max_size=60), st.text(alphabet="http:/@[]%.\\?#a1 ", max_size=40).map("http://".__add__)
    )
)
def test_no_url_makes_it_raise(url):
    origin = split_origin(url)
    if origin is not None:
        scheme, host, port = origin
        assert scheme in ("http", "https")
        assert canonical_host(host) == host
        assert 0 < port <= 65535


@pytest.mark.parametrize(
    "url",
    [
        "http://ok.example/" + "a" * 65_536,
        "http://" + "a." * 32_768,
        "http://" + "@" * 65_536,
        "http://" + ":" * 65_536,
        "http://" + "[" * 65_536,
        "http://" + "%61" * 21_845,
        "http://" + "ü" * 65_536,
        "http://ok.example:" + "0" * 65_536 + "80",
        "http://" + "\\" * 65_536,
    ],
    ids=lambda url: ascii(url[:12]),
)
def test_a_url_of_64_kib_is_judged_at_once(url):
    started = time.process_time()
    split_origin(url)
    assert time.process_time() - started < 0.1
