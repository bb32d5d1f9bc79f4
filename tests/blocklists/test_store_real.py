"""Real lists, compiled: the same decisions as the plain folder, and the difference of an update."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from blocklists import store
from blocklists.index import IndexChoice
from blocklists.snapshot import load_snapshot
from blocklists.store_build import build_snapshot
from blocklists.store_load import verify_snapshot
from crawler import cli

LISTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "blocklists"
NOW = 1_790_000_000_000_000
pytestmark = pytest.mark.skipif(not LISTS.exists(), reason="the data pack is not beside the repository")


def put(folder, name, source, form, weight="community"):
    if source.is_dir():
        (folder / name).mkdir()
        for path in source.iterdir():
            shutil.copyfile(path, folder / name / path.name)
    else:
        shutil.copyfile(source, folder / name)
    text = f'id = "{name}"\ntitle = "{name}"\nfile = "{name}"\nformat = "{form}"\nweight = "{weight}"\n'
    (folder / f"{name}.toml").write_text(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    put(folder, "ut1", LISTS / "ut1-2026-08-17" / "warez", "ut1")
    put(folder, "hagezi", LISTS / "hagezi-2025-11-16" / "anti.piracy.adblock.txt", "adblock")
    put(folder, "hosts", LISTS / "blocklistproject-2026-07" / "piracy.hosts.txt", "hosts")
    (folder / "overrides.toml").write_text(
        '[[override]]\npattern = "catbox.moe"\nreason = "a file host"\nowner = "law"\nexpires = 2020-01-01\n'
        '[[override]]\npattern = "angelfire.com/un"\nreason = "a path"\nowner = "law"\nexpires = 2099-01-01\n'
    )
    return folder


def test_hard_case_29_real_lists_give_the_same_decisions_plain_in_memory_and_mapped(folder):
    plain = load_snapshot(folder, now_us=NOW)
    with store.locked(folder):
        built = build_snapshot(folder, now_us=NOW, index=IndexChoice.MAPPED)
        again = build_snapshot(folder, now_us=NOW, index=IndexChoice.MAPPED)
    assert (again.sha256, again.is_new, verify_snapshot(folder, built.sha256)) == (built.sha256, False, ())
    dice = random.Random(20261121)
    listed = [line[2:-1] for line in (folder / "hagezi").read_text().split("\n") if line.startswith("||")]
    hosts = [
        f"{dice.choice(['', '', 'www.', 'a.b.', 'x'])}{dice.choice(listed)}{dice.choice(['', '', 'x', '.com'])}"
        for _ in range(10_000)
    ]
    hosts += ["109.238.9.3", "angelfire.com", "catbox.moe", "elcachondeo.cl", "mpg.de"]
    paths = ("/", "/torrent", "/un/lucasferrand/x", "/foro/forumdisplay.php?f=20")
    for form in (IndexChoice.MEMORY, IndexChoice.MAPPED):
        stored = load_snapshot(folder, now_us=NOW, index=form)
        assert (stored.sha256, stored.manifest, stored.sources) == (
            plain.sha256,
            plain.manifest,
            plain.sources,
        )
        assert sorted(stored.notices) == sorted(plain.notices)
        for host in hosts:
            for path in paths if host[0] in "1ae" else paths[:1]:
                url = f"http://{host}{path}"
                assert stored.matcher.match(host, now_us=NOW, url=url) == plain.matcher.match(
                    host, now_us=NOW, url=url
                )


def test_the_update_pair_differs_as_the_reference_says(tmp_path, capsys):
    folder = tmp_path / "lists"
    folder.mkdir()
    for version in ("2025-11-05", "2025-11-16"):
        put(folder, "hagezi", LISTS / f"hagezi-{version}" / "anti.piracy.adblock.txt", "adblock", "operator")
        with store.locked(folder):
            build_snapshot(folder, now_us=NOW)
    assert cli.main(["blocklists", "diff", "--blocklists", str(folder), "--json", "--limit", "0"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["added"], told["removed"]) == (383, 38)
    assert len(told["changes"]) == 383 + 38
    assert cli.main(["blocklists", "diff", "--blocklists", str(folder), "--exit-code"]) == 3
    same = ["blocklists", "diff", "CURRENT", "CURRENT", "--blocklists", str(folder), "--exit-code"]
    assert cli.main(same) == 0
