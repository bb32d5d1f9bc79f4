"""The wire by itself, without a crawl: what it lets pass, what trips it, and what it remembers."""

from __future__ import annotations

import errno
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.tripwire import REMEMBERED_NAMES, Tripwire
from crawler.tripwire_words import WATCHED, Destination, Means, Mode, bare_name, is_address, stays_here


@pytest.fixture
def wire():
    return Tripwire()


@pytest.fixture
def trips(wire):
    heard = []
    wire.attach(heard.append)
    return heard


@pytest.fixture
def opened():
    with socket.socket() as one:
        yield one


def connect(wire, opened, host="192.0.2.1", port=80):
    wire.heard(Means.CONNECTION, (opened, (host, port)), sys._getframe())


def test_a_connection_that_nobody_permitted_is_refused_as_twisted_can_bear_it(wire, trips, opened):
    with pytest.raises(OSError, match="no permit") as refused:
        connect(wire, opened)
    assert refused.value.args[0] == errno.EACCES
    (trip,) = trips
    assert (trip.means, trip.target, trip.host, trip.refused) == (
        Means.CONNECTION,
        "192.0.2.1:80",
        "192.0.2.1",
        True,
    )
    assert trip.where.endswith("in connect")
    assert "/" not in trip.where


def test_in_the_mode_record_it_is_told_and_let_through(wire, trips, opened):
    wire.demand(Mode.RECORD)
    connect(wire, opened)
    assert [trip.refused for trip in trips] == [False]


def test_of_two_crawls_in_a_process_the_stricter_counts_whichever_comes_first(opened):
    for modes in ((Mode.REFUSE, Mode.RECORD), (Mode.RECORD, Mode.REFUSE)):
        wire = Tripwire()
        for mode in modes:
            wire.demand(mode)
        assert wire.mode is Mode.REFUSE


def test_a_process_without_a_crawl_is_left_alone_unless_it_is_a_command_of_scrapy(wire, opened):
    connect(wire, opened)
    wire.watch_from_the_start()
    with pytest.raises(OSError, match="no permit"):
        connect(wire, opened)
    wire.heard(Means.PROGRAM, ("/bin/true",), None)  # commands may start editors
    heard = []
    wire.attach(heard.append)
    assert len(heard) == 1, "what tripped before there was a crawl is told to the first one"


def test_a_destination_is_let_through_by_host_and_port_and_by_what_its_name_leads_to(wire, trips, opened):
    wire.allow([Destination(host="192.0.2.1", port=5432), Destination(host="localhost", port=5433)])
    connect(wire, opened, port=5432)
    wire.heard(Means.NAME, ("localhost", 5433, 0, 0, 0), None)
    with pytest.raises(OSError, match="no permit"):
        connect(wire, opened, port=5434)
    with pytest.raises(OSError, match="no permit"):
        connect(wire, opened, host="192.0.2.2", port=5432)
    assert len(trips) == 2


def test_a_request_reaches_each_address_of_its_host_once_and_only_until_its_answer_begins(
    wire, trips, opened
):
    with wire.errand("Site.Example.", 443, by_context=True):
        wire.heard(Means.NAME, (b"site.example", 443, 0, 0, 0), None)
        wire.resolved("site.example", ["192.0.2.7", "2001:db8::7"])
        connect(wire, opened, "192.0.2.7", 443)
        connect(wire, opened, "2001:db8::7", 443)
        for host, port in (("192.0.2.7", 443), ("192.0.2.8", 443), ("192.0.2.7", 80)):
            with pytest.raises(OSError, match="no permit"):
                connect(wire, opened, host, port)
    with wire.errand("site.example", 443, by_context=True):
        wire.arrived()
        with pytest.raises(OSError, match="no permit"):
            connect(wire, opened, "192.0.2.7", 443)
    with pytest.raises(OSError, match="no permit"):
        connect(wire, opened, "192.0.2.7", 443)


def test_names_carry_no_data_out(wire, trips):
    for name in ("localhost", "a.localhost", "127.0.0.1", "::1", None, ""):
        wire.heard(Means.NAME, (name, 80, 0, 0, 0), None)
    with pytest.raises(OSError, match="no permit"):
        wire.heard(Means.NAME, ("secret.evil.example", 80, 0, 0, 0), None)
    assert [trip.target for trip in trips] == ["secret.evil.example"]


def test_sockets_of_this_machine_and_connected_datagrams_say_nothing(wire, trips):
    with socket.socket(socket.AF_UNIX) as local:
        wire.heard(Means.CONNECTION, (local, "/run/x"), None)
    with socket.socket(type=socket.SOCK_DGRAM) as datagram:
        wire.heard(Means.DATAGRAM, (datagram, None), None)
        with pytest.raises(OSError, match="no permit"):
            wire.heard(Means.DATAGRAM, (datagram, ("192.0.2.1", 53)), None)
    assert len(trips) == 1


def test_programs_start_when_they_are_named_or_a_component_of_ours_answers_for_them(wire, trips):
    wire.allow([], ["ffmpeg"])
    wire.heard(Means.PROGRAM, ("/usr/bin/ffmpeg", ["ffmpeg"], None, None), None)
    with wire.starting("/opt/driver"):
        wire.heard(Means.PROGRAM, (b"/opt/driver",), None)
    for name in ("/opt/driver", b"curl", "ffmpeg2"):
        with pytest.raises(OSError, match="no permit"):
            wire.heard(Means.PROGRAM, (name,), None)
    assert len(trips) == 3


def test_a_library_is_noted_and_never_refused(wire, trips):
    wire.heard(Means.LIBRARY, ("libc.so.6",), None)
    wire.heard(Means.LIBRARY, (None,), None)
    assert [(trip.target, trip.refused) for trip in trips] == [("libc.so.6", False)]


def test_what_is_remembered_is_bounded(wire):
    for number in range(REMEMBERED_NAMES + 100):
        with wire.errand(f"h{number}.example", 80, by_context=False):
            pass
    assert len(wire._names) == REMEMBERED_NAMES
    wire.watch_from_the_start()
    wire.demand(Mode.RECORD)
    for number in range(2_000):
        wire.heard(Means.NAME, (f"early{number}.example", 80, 0, 0, 0), None)
    assert len(wire._early) == 1_000


@given(host=st.text(max_size=60))
def test_names_are_compared_in_one_form(host):
    assert bare_name(bare_name(host)) == bare_name(host).strip("[]").removesuffix(".")
    assert stays_here("127.0.0.1")
    assert not is_address("127.0.0.1.example")


def test_every_watched_event_has_a_means():
    assert set(WATCHED.values()) == set(Means)
