"""Files of sites that decisions quote are kept for as long as anything that is remembered may quote them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from crawler import recorder
from crawler.recorder import Recorder
from crawler.remembered import Remembered
from crawler.rights_files import RightsFiles
from crawler.site_files import SiteFiles
from policies.rules.judged_rows import Intent
from policies.vocabulary import Purpose

MIB = 1024 * 1024


def memories(of):
    return [one for one in vars(of).values() if isinstance(one, Remembered)]


def test_as_many_octets_are_kept_as_robots_txt_and_files_of_rights_may_have_together():
    checkpoint = SimpleNamespace(
        config=SimpleNamespace(robots_cache_seconds=1),
        agent=SimpleNamespace(policy=SimpleNamespace(robots=SimpleNamespace(max_age_seconds=1))),
    )
    intent = Intent(token="ExampleBot", purposes=frozenset(Purpose))
    sites = SiteFiles(SimpleNamespace(), checkpoint)
    rights = RightsFiles(SimpleNamespace(), checkpoint, sites, intent)
    (kept,) = memories(Recorder(SimpleNamespace(), agent="", policy_sha256="", blocklist_sha256=""))
    quotable = sum(one._most_octets for one in (*memories(sites), *memories(rights)))
    assert kept._most_octets == quotable
    readme = Path(recorder.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert f"| {kept._most:,}; {quotable // MIB} MiB of files |" in readme
