"""The settings that a crawl of a Scrapy project would have, and where its file says otherwise.

Imports Scrapy. Reads the settings as `scrapy crawl` does, without starting anything; what a spider's
`custom_settings` add is checked when that spider runs.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from scrapy.settings import SETTINGS_PRIORITIES, Settings
from scrapy.utils.project import get_project_settings

from crawler.commands.check_parts import Check, Status
from crawler.config import read_config
from crawler.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDON = "crawler.addon.SekishoAddon"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conflict:
    """A setting of the project that does not decide under the add-on: when it matters, and what holds."""

    harmless: object
    status: Status
    message: str


#: Settings that a project may hold although the add-on decides otherwise.
_CONFLICTS = {
    "ROBOTSTXT_OBEY": _Conflict(
        harmless=False,
        status=Status.NOTE,
        message="has no effect: Sekisho reads robots.txt itself, always, and keeps Scrapy's reader off",
    ),
    "USER_AGENT": _Conflict(
        harmless=None,
        status=Status.WARNING,
        message="is never sent: the User-Agent is the one that the agent file declares; remove the line",
    ),
    "ROBOTSTXT_USER_AGENT": _Conflict(
        harmless=None,
        status=Status.WARNING,
        message="has no effect: robots.txt is read for the token of the agent file; remove the line",
    ),
    "TELNETCONSOLE_ENABLED": _Conflict(
        harmless=False, status=Status.NOTE, message="is switched off: a control port could go round the door"
    ),
    "REMOTE_CONTROL_ENABLED": _Conflict(
        harmless=False, status=Status.NOTE, message="is switched off: a control port could go round the door"
    ),
    "DOWNLOADER": _Conflict(
        harmless=None,
        status=Status.WARNING,
        message="is replaced by the door, through which every request passes; remove the line",
    ),
    "HTTPCACHE_ENABLED": _Conflict(
        harmless=False,
        status=Status.WARNING,
        message="is switched off: a cached page would reach the spider without a decision",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A Scrapy project: its `scrapy.cfg`, its settings file (None when not found), its settings."""

    configuration: Path
    file: Path | None
    settings: Settings
    problem: str = ""

    def value(self, name: str) -> str:
        """Return a setting as text, empty when it is not set."""
        value = self.settings.get(name)
        return "" if value is None else str(value)

    def place(self, name: str) -> str:
        """Return `file:line` of the last assignment to a setting, else the file."""
        if self.file is None:
            return str(self.configuration)
        line = _line_of(self.file, name)
        return f"{_short(self.file)}:{line}" if line else _short(self.file)

    def _check(self, name: str, status: Status, message: str) -> Check:
        return Check(status=status, part="scrapy", place=self.place(name), message=f"{name} {message}")

    def _set_by_project(self, name: str) -> bool:
        return (self.settings.getpriority(name) or 0) >= SETTINGS_PRIORITIES["project"]

    def checks(self) -> Iterator[Check]:
        """Return what the settings say against a guarded crawl."""
        if self.problem:
            yield Check(
                status=Status.ERROR, part="scrapy", place=str(self.configuration), message=self.problem
            )
            return
        if not _has_addon(self.settings):
            message = (
                f'does not name the add-on: add ADDONS = {{"{ADDON}": 100}}; without it nothing is guarded'
            )
            yield self._check("ADDONS", Status.ERROR, message)
        else:
            yield self._check("ADDONS", Status.OK, "names the add-on")
        for name, conflict in _CONFLICTS.items():
            if self._set_by_project(name) and self.settings.get(name) != conflict.harmless:
                yield self._check(name, conflict.status, conflict.message)
        try:
            read_config(self.settings)
        except SetupError as error:
            yield Check(
                status=Status.ERROR, part="scrapy", place=self.place(_named(error)), message=str(error)
            )


def _named(error: SetupError) -> str:
    """Return the setting that a message is about."""
    found = re.search(r"SEKISHO_\w+", str(error))
    return found[0] if found else ""


def _has_addon(settings: Settings) -> bool:
    for addon, priority in (settings.getdict("ADDONS") or {}).items():
        name = addon if isinstance(addon, str) else f"{addon.__module__}.{addon.__qualname__}"
        if name == ADDON and priority is not None:
            return True
    return False


def _short(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _line_of(path: Path, name: str) -> int | None:
    """Return the line of the last top-level assignment to a name."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    found = None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = node.lineno
    return found


def _settings_module(configuration: Path) -> str:
    """Return the settings module as Scrapy chooses it: the environment first, then `scrapy.cfg`."""
    parser = configparser.ConfigParser()
    parser.read(configuration)
    project = os.environ.get("SCRAPY_PROJECT", "default")
    module = os.environ.get("SCRAPY_SETTINGS_MODULE")
    return module or str(parser.get("settings", project, fallback=""))


def load_project(configuration: Path) -> Project:
    """Read the settings of the project that a `scrapy.cfg` names; a failure becomes a problem of it."""
    if str(configuration.parent) not in sys.path:
        sys.path.insert(0, str(configuration.parent))
    try:
        module = _settings_module(configuration)
        spec = find_spec(module) if module else None
        settings = get_project_settings()
    except Exception as error:  # noqa: BLE001 - a settings file is code of the project and may raise anything
        problem = f"its settings cannot be read: {type(error).__name__}: {error}"
        return Project(configuration=configuration, file=None, settings=Settings(), problem=problem)
    file = Path(spec.origin) if spec and spec.origin else None
    return Project(configuration=configuration, file=file, settings=settings)
