"""A log with two runs, packages made of it, and the means to break them as somebody would who can hash."""

from __future__ import annotations

import importlib.util
import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from crawler.decisionlog.package import layout
from crawler.decisionlog.package.layout import Encoding
from crawler.decisionlog.package.plan import PackagePlan
from crawler.decisionlog.package.verify import verify_package
from crawler.decisionlog.package.write import write_package
from crawler.decisionlog.registry_state import KnownCheckpoint

MADE_US = 1_800_000_000_000_000
SOURCE = Path(layout.__file__).with_name("independent.py")


class Packages:
    """Makes packages of one log, and verifies them with what was kept elsewhere."""

    def __init__(self, log, folder):
        self.log = log
        self.folder = folder
        self.count = 0

    def make(self, encoding=Encoding.PARQUET, **plan):
        self.count += 1
        target = self.folder / f"package-{self.count}"
        with self.log.reader() as reader:
            write_package(reader, target, PackagePlan(encoding=encoding, **plan), now_us=MADE_US)
        return target

    @property
    def kept(self):
        """The checkpoint that somebody else kept."""
        path = self.log.path.with_name(f"{self.log.path.name}.checkpoint")
        return KnownCheckpoint.read(str(path), path.read_bytes())

    @property
    def vkey(self):
        with self.log.reader() as reader:
            return next(leaf.event.vkey for leaf in reader.leaves({"key_add"}))

    def verify(self, package):
        return verify_package(package, known=[self.kept])

    def copy(self, package):
        self.count += 1
        target = self.folder / f"copy-{self.count}"
        shutil.copytree(package, target)
        return target


def rehash(package):
    """Make manifest and sums fit the files again: hashing files is no obstacle to anybody."""
    manifest = json.loads((package / "manifest.json").read_bytes())
    for part in manifest["files"]:
        octets = (package / part["path"]).read_bytes()
        part |= {"sha256": sha256(octets).hexdigest(), "octets": len(octets)}
    octets = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    (package / "manifest.json").write_bytes(octets)
    lines = [f"{part['sha256']}  {part['path']}\n" for part in manifest["files"]]
    lines.append(f"{sha256(octets).hexdigest()}  manifest.json\n")
    for line in (package / "documents.jsonl").read_text().splitlines():
        name = json.loads(line)["sha256"]
        lines.append(f"{name}  documents/{name[:2]}/{name}\n")
    (package / "SHA256SUMS").write_text("".join(lines))


def second_opinion(path, *others):
    """Return the exit code of the independent verifier, and what it found."""
    spec = importlib.util.spec_from_file_location("verify_of_a_package", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.verify(path, *map(str, others))
    except Exception as error:
        module.FOUND.append(repr(error))
    return (4 if module.FOUND else 6 if module.OPEN else 0), module.FOUND


@pytest.fixture
def packages(log, tmp_path):
    log.write()
    log.write(run_id="run-2")
    return Packages(log, tmp_path)


@pytest.fixture
def repair():
    return rehash


@pytest.fixture
def independent():
    return second_opinion
