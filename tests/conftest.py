"""Fixtures that several folders of tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from loopback import Project, Web
from postgres_server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def web() -> Iterator[Web]:
    """A loopback web that remembers what it received."""
    with Web() as running:
        yield running
    # Whatever a test looks at: nothing of any kind is asked of a listed domain.
    assert [one for one in running.rights_received if one.host in running.listed] == []


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A guarded Scrapy project in a folder of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    project = Project(folder)
    try:
        yield project
    finally:
        project.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that most tests share; a test that kills or changes one starts its own."""
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.remove()
