"""What a hostile list costs a process: its peak memory, measured from outside and under a hard limit.

Each attempt is a process of its own whose address space is limited; it says how much its largest resident set
grew. `long` runs the sizes that the limits are about, the default a tenth of them.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import subprocess
import sys
import zlib

import pytest

MIB = 1_048_576
ATTEMPT = """
import json, pathlib, resource, sys, time
from blocklists.errors import ListError
from blocklists.source import load_source

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
before, started, words = peak(), time.process_time(), ""
try:
    load_source(pathlib.Path(sys.argv[1]))
except ListError as error:
    words = str(error)
print(json.dumps({"mib": peak() - before, "seconds": time.process_time() - started, "words": words}))
"""
MANIFEST = 'id = "a"\ntitle = "a"\nfile = "a.txt"\nweight = "operator"\n'
ADDRESS_SPACE = 900 * MIB


def attempt(folder, octets, form="plain", pieces=(), size=None):
    """Write a list and read it in a process of its own; its growth in MiB, its seconds, its refusal.

    `pieces` follow the octets; with `size` the file is made that long, without writing what it lacks.
    """
    columns = '\n[columns]\npattern = "name"\n' if form == "csv" else ""
    (folder / "a.toml").write_text(f'{MANIFEST}format = "{form}"\n{columns}')
    with (folder / "a.txt").open("wb") as file:
        for piece in itertools.chain((octets,), pieces):
            file.write(piece)
        if size is not None:
            file.truncate(size)
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPT, str(folder / "a.toml"), str(ADDRESS_SPACE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def bomb(mib, piece):
    """Return gzipped octets that unpack to so many MiB of a repeated piece."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = piece * (MIB // len(piece))
    return b"".join(squeezed.compress(block) for _ in range(mib)) + squeezed.flush()


FORMATS = ("plain", "hosts", "adblock", "dnsmasq", "unbound", "rpz", "wildcard", "csv", "native")
#: One of the formats that share the loop of `hosts` is enough for every day.
SIZES = [
    *(pytest.param(form, 5, id=f"{form}-tenth") for form in ("plain", "hosts", "rpz", "csv", "native")),
    *(pytest.param(form, 50, id=f"{form}-whole", marks=pytest.mark.long) for form in FORMATS),
]
#: Python, SQLite's and the parsers' own needs; what is above it has to be explained by the list.
SPARE = 40


def one_line(mib):
    return b"good.example\n" + b"a" * (mib * MIB)


def garbage(mib):
    return random.Random(7).randbytes(mib * MIB)


@pytest.mark.parametrize(("form", "mib"), SIZES)
@pytest.mark.parametrize("make", [one_line, garbage], ids=["one_line", "garbage"])
def test_a_list_of_one_line_or_of_garbage_costs_no_more_than_twice_its_size(tmp_path, form, make, mib):
    found = attempt(tmp_path, make(mib), form)
    assert found["words"].startswith(str(tmp_path / "a.txt")), found
    assert len(found["words"]) < 1_000
    assert found["mib"] < 2 * mib + SPARE, found
    assert found["seconds"] < 2 + mib / 5


def test_a_list_of_200_mib_is_refused_before_a_single_octet_is_read(tmp_path):
    assert attempt(tmp_path, b"bad.example\n")["words"] == ""
    found = attempt(tmp_path, b"bad.example\n", size=200 * MIB)
    assert f"has {200 * MIB} octets; a list may have 134217728, so split it" in found["words"]
    assert found["mib"] < SPARE


@pytest.mark.long
def test_200_mib_of_good_rows_are_refused_unread(tmp_path):
    row = b"site-number-%07d.example.com\n"
    rows = (b"".join(row % (block * 10_000 + one) for one in range(10_000)) for block in range(690))
    found = attempt(tmp_path, b"", pieces=rows)
    assert "a list may have 134217728" in found["words"]
    assert found["mib"] < SPARE


@pytest.mark.parametrize("piece", [b"\x00", b"bad.example\n"], ids=["zeros", "rows"])
def test_a_bomb_costs_no_more_than_the_largest_list_and_is_refused(tmp_path, piece):
    octets = bomb(256, piece)
    assert len(octets) < 4 * MIB
    found = attempt(tmp_path, octets)
    assert "unpacks to more than 134217728 octets" in found["words"]
    # Up to the limit the octets are held, and once more while they are put together.
    assert found["mib"] < 2 * 128 + SPARE, found


def test_a_bomb_in_a_bomb_is_not_opened_twice(tmp_path):
    found = attempt(tmp_path, gzip.compress(bomb(64, b"bad.example\n")))
    assert found["words"] != ""
    assert found["mib"] < SPARE
