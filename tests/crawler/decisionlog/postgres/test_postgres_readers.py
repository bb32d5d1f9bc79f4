"""Several processes read a log in PostgreSQL into the same package as one."""

from __future__ import annotations

import filecmp

from crawler.decisionlog.package import arrow, copying
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.package.write import write_package


def test_two_processes_read_a_server_into_the_same_octets_as_one(pg, tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "WORTH_IT", 0)
    monkeypatch.setattr(arrow, "CHUNK", 3)
    pg.write()
    pg.write(run_id="run-2")
    folders = [tmp_path / f"package-{count}" for count in (1, 2)]
    for count, folder in enumerate(folders, 1):
        with pg.reader() as reader:
            manifest = write_package(reader, folder, PackagePlan(readers=count), now_us=0)
        assert manifest.counts.records > 3
    names = [path.relative_to(folders[0]) for path in folders[0].rglob("*") if path.is_file()]
    assert all(filecmp.cmp(folders[0] / name, folders[1] / name, shallow=False) for name in names)
    assert verify_package(folders[1]).findings == ()
