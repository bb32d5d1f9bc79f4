"""A crawl whose log is on a disk of two mebibytes: it ends by itself, and goes on when there is space."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from arrivals import LISTED_SPIDER, undecided
from loopback import page

from blocklists.errors import ExitCode
from crawler.decisionlog.reader import LogReader

HOSTS = 4
PAGES = 3_000  # more than fit: a page takes three records, and a record some 300 octets
HUNG_S = 120.0


@pytest.fixture
def small_disk(project):
    """A file system of 2 MiB in the project; skips where none may be mounted."""
    folder = project.folder / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    words = ("-t", "tmpfs", "-o", "size=2m", "tmpfs", folder)
    if not mount or subprocess.run([mount, *words], capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here; a test with a limited file size covers a part")
    (folder / "ballast").write_bytes(bytes(1_300_000))  # of others: the crawl is at the end of it in seconds
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_check_05_a_crawl_on_a_full_disk_ends_by_itself_and_the_next_goes_on_in_a_new_segment(
    web, project, small_disk
):
    for number in range(HOSTS):
        web.site(f"s{number}.localhost", "")
    web.default = page("x")
    log = f"sqlite:///{small_disk}/log.db"
    project.append(
        "project_settings.py",
        f"\nSEKISHO_LOG = '{log}'\nSEKISHO_PROGRESS = False\nCONCURRENT_REQUESTS = 32\n",
    )
    project.write("spiders/listed.py", LISTED_SPIDER)
    urls = [web.url(f"s{number % HOSTS}.localhost", f"/p/{number}") for number in range(PAGES)]
    project.write("urls.txt", "\n".join(urls) + "\n")
    process = project.start("crawl", "listed")
    _, stderr = process.communicate(timeout=HUNG_S)
    assert process.returncode == ExitCode.REFUSED, stderr[-3000:]
    assert "sekisho_log_unwritable" in stderr
    assert "the disk is full: free space, then start again" in stderr
    assert "Traceback" not in stderr
    arrived = list(web.received)
    assert HOSTS < len(arrived) < PAGES, "it was in full flight when the disk was full"
    (first,) = segments(log)
    assert undecided(web, arrived, records(log)) == [], "what arrived had its decision, and has it still"
    assert not first.sealed
    assert project.sekisho("log", "verify", "--log", log).returncode == ExitCode.DONE
    # Nothing starts while it is full.
    (small_disk / "more").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    again = project.start("crawl", "listed")
    _, stderr = again.communicate(timeout=HUNG_S)
    assert again.returncode == ExitCode.REFUSED, stderr[-3000:]
    assert len(web.received) == len(arrived)
    # And when there is space, the next run seals what the first left, and has a segment of its own.
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    project.write("urls.txt", web.url("s0.localhost", "/p/after") + "\n")
    after = project.start("crawl", "listed")
    _, stderr = after.communicate(timeout=HUNG_S)
    assert after.returncode == 0, stderr[-3000:]
    assert web.paths()[-1] == "/p/after"
    found = segments(log)
    assert [info.sealed for info in found] == [True, True]
    assert found[0].size >= first.size
    assert project.sekisho("log", "verify", "--log", log).returncode == ExitCode.DONE


def segments(log):
    with LogReader.open(log) as reader:
        return reader.segments()


def records(log):
    with LogReader.open(log) as reader:
        return list(reader.records())
