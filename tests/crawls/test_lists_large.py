"""A list server that sends without end: the refresh stops in time, in bounded memory, and the last good list stays."""

from __future__ import annotations

import resource
import zlib

import pytest
from loopback import Reply

from blocklists import store

LISTS = "lists.localhost"
MIB = 1_048_576
GOOD = b"thepiratebay.org\n" + b"".join(b"pirate%d.example\n" % number for number in range(99))
#: Scrapy, the log and the lists themselves need some 150 MiB; the limit of a list is 128, held twice at worst.
MOST_MIB = 150 + 2 * 128 + 50
DEFINITION = """\
id = "{name}"
title = "{name}"
urls = ["{url}"]
pinned_hosts = ["lists.localhost"]
format = "plain"
weight = "community"
licence = "test"
licence_accepted = true
"""


def bomb(mib):
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"pirate.example\n" * (MIB // 15)
    return b"".join(squeezed.compress(block) for _ in range(mib)) + squeezed.flush()


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        pytest.param("long", "", marks=pytest.mark.long),
        pytest.param("packed", "gzip"),
        pytest.param("file", "", marks=pytest.mark.long),
    ],
)
def test_hard_case_24_what_never_ends_is_given_up_and_the_last_good_list_stays(web, project, name, encoding):
    project.write(f"lists/sources/{name}.toml", DEFINITION.format(name=name, url=web.url(LISTS, "/list")))
    web.add(LISTS, "/list", Reply(200, (("Content-Type", "text/plain"),), GOOD))
    assert project.sekisho("blocklists", "refresh").returncode == 0
    current = store.read_current(project.folder / "lists")

    body = b"more-names.example\n" * (200 * MIB // 19) if name == "long" else bomb(160)
    headers = (("Content-Type", "text/plain"), *((("Content-Encoding", encoding),) if encoding else ()))
    web.add(LISTS, "/list", Reply(200, headers, body))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = project.sekisho("blocklists", "refresh", "--force")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert done.returncode in (3, 75), done.stdout + done.stderr
    assert "134217728 octets" in done.stdout
    assert store.read_current(project.folder / "lists") == current
    # The largest child so far: either this one stayed below the bound, or below an earlier one.
    assert peak / 1024 < MOST_MIB or peak == before, f"{peak / 1024:.0f} MiB"
