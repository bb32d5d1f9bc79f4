"""A log in PostgreSQL for each test: a copy of one that was set up once, on the server that all tests share."""

from __future__ import annotations

import psycopg
import pytest

from crawler.decisionlog.custody import CHECKPOINT_SETTING, KEY_SETTING, Custody
from crawler.decisionlog.place import log_place
from crawler.decisionlog.postgres_setup import set_up
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.registry_state import KnownCheckpoint
from crawler.decisionlog.verify import verify_log
from crawler.decisionlog.writer import LogWriter
from tests.crawler.decisionlog.conftest import Clock, write_sample


class PgLog:
    """One log in a database of its own, written and read by logins with the rights of their role only."""

    def __init__(self, server, name, folder):
        self.server = server
        self.name = name
        self.url = server.url(name, user="crawl_login")
        self.reader_url = server.url(name, user="read_login")
        self.admin_url = server.url(name)
        self.clock = Clock()
        self.custody = Custody(
            key_file=folder / "pg.key", checkpoint_file=folder / "pg.checkpoint", named=True
        )

    def open(self, **options):
        return LogWriter.open(
            self.url,
            **{"run_id": "run-1", "agent": "ExampleBot", "clock": self.clock, "custody": self.custody}
            | options,
        )

    def write(self, *, seal=True, **options):
        writer = self.open(**options)
        write_sample(writer)
        head = writer.close(seal=seal)
        if writer.failed is not None:
            raise writer.failed
        return head

    def reader(self):
        return LogReader.open(self.reader_url)

    def verify(self):
        file = self.custody.checkpoint_file
        with self.reader() as reader:
            return verify_log(reader, known=[KnownCheckpoint.read(str(file), file.read_bytes())])

    def use(self, monkeypatch):
        """Name the log, its key and its last checkpoint in the environment."""
        monkeypatch.setenv("SEKISHO_LOG", self.url)
        monkeypatch.setenv(KEY_SETTING, str(self.custody.key_file))
        monkeypatch.setenv(CHECKPOINT_SETTING, str(self.custody.checkpoint_file))

    def connect(self, user, **options):
        """Connect as a login, with the log's schema in the search path."""
        connection = psycopg.connect(self.server.conninfo(self.name, user), autocommit=True, **options)
        connection.execute("SET search_path = sekisho")
        return connection

    def admin(self):
        return self.connect("postgres")

    def table(self, name):
        with self.admin() as connection:
            return connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()


def make_logins(server):
    with server.admin() as connection:
        for login, role in (("crawl_login", "writer"), ("read_login", "reader"), ("prune_login", "pruner")):
            connection.execute(f"CREATE ROLE {login} LOGIN IN ROLE sekisho_{role}")
        connection.execute("CREATE ROLE keep_login LOGIN IN ROLE sekisho_writer, sekisho_pruner")


@pytest.fixture(scope="session")
def template(postgres):
    """The name of a database with an empty log in it, and the logins of all roles."""
    name = postgres.create_database()
    set_up(log_place(postgres.url(name)))
    make_logins(postgres)
    return name


@pytest.fixture
def pg(postgres, template, tmp_path):
    name = postgres.create_database(template)
    return PgLog(postgres, name, tmp_path)  # dropping waits for a checkpoint: the server goes as a whole


@pytest.fixture(scope="module")
def own_server():
    """A server that the tests of one file may kill and change."""
    from postgres_server import PostgresServer

    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.remove()
