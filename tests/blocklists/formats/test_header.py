"""A list's statements about itself are read where they are certain, and never stop anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.formats.header import Header, read_header


def test_hard_case_25_headers_of_published_lists():
    header = read_header(
        b"# Title: Piracy Block List\n# Last modified: 2026-07-06 00:40:29 UTC\n# Format: domains\n"
        b"# Entries: 2,154\n#\nbad.example\n"
    )
    assert (header.title, header.syntax, header.entries) == ("Piracy Block List", "domains", 2_154)
    assert header.last_modified == 1_783_298_429_000_000
    header = read_header(
        b"! Expires: 1 day\n! Last modified: 16 Nov 2025 02:30 UTC\n! Version: 2025.1116.0230.19\n"
        b"! Syntax: AdBlock\n! Number of entries: 11585\n!\n"
    )
    assert header == Header(
        version="2025.1116.0230.19",
        syntax="AdBlock",
        expires_hours=24,
        last_modified=1_763_260_200_000_000,
        entries=11_585,
    )
    assert read_header(b"; Number of entries: 23170\n").entries == 23_170
    assert read_header(b"# Domains: 9671\n").entries == 9_671


@pytest.mark.parametrize(
    "line",
    [
        "# Last modified: %timestamp%",
        "# Last modified: So 24. Jul 12:48:06 UTC 2022",
        "# Expires: Updated regularly",
        "# Expires: 99999 days",
        "# Entries: many",
        "# Entries: 2,15",
        "# Entries: -1",
        "# Entries: 99999999999999999999",
        "no header at all",
        "",
    ],
)
def test_hard_case_25_what_cannot_be_read_is_no_statement(line):
    assert read_header(line.encode()) == Header()


@pytest.mark.parametrize(
    ("text", "hours"), [("4 days", 96), ("12 hours", 12), ("1 day (update)", 24), ("6h", 6)]
)
def test_an_interval_is_hours(text, hours):
    assert read_header(f"! Expires: {text}".encode()).expires_hours == hours


@given(st.binary(max_size=300))
def test_no_octets_make_it_raise(octets):
    read_header(octets)
    read_header(b"# Last modified: " + octets)
    read_header(b"# Expires: " + octets)
