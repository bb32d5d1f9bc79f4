"""Where a log and its key are: the option, else the environment, else the Scrapy project's setting.

The project's setting is read from its source text where it is a plain string, so that a command which reads
a log imports neither Scrapy nor the project; a computed value is taken by importing the settings module.
Reads files and the environment; opens no log.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crawler.decisionlog.custody import CHECKPOINT_SETTING, KEY_SETTING, ORIGIN_SETTING, Custody
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.place import log_place
from crawler.decisionlog.store import database_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crawler.decisionlog.place import LogPlace

SETTING: Final = "SEKISHO_LOG"
DEFAULT: Final = "sqlite:///sekisho.db"


def log_url(explicit: str | None) -> str:
    """Return the URL of the log to read. Raises LogError when the project's setting cannot be read."""
    return _given(SETTING, explicit) or DEFAULT


def custody_of(
    url: str, *, key_file: str | None = None, checkpoint_file: str | None = None, origin: str | None = None
) -> Custody:
    """Return where the key and the last checkpoint of the log at `url` are. Raises LogError."""
    return Custody.of(
        database_file(url),
        key_file=_given(KEY_SETTING, key_file),
        checkpoint_file=_given(CHECKPOINT_SETTING, checkpoint_file),
        origin=_given(ORIGIN_SETTING, origin),
    )


def last_checkpoint(place: LogPlace) -> Path | None:
    """Return the file with the last checkpoint of a log; None for one on a server that nobody named here.

    The project's setting counts for the project's own log only. Raises LogError.
    """
    named = os.environ.get(CHECKPOINT_SETTING)
    if not named and log_place(log_url(None)) == place:
        named = _project_setting(CHECKPOINT_SETTING)
    if named:
        return Path(named).expanduser().absolute()
    return Custody.of(place).checkpoint_file if isinstance(place, Path) else None


def _given(name: str, explicit: str | None) -> str | None:
    return explicit or os.environ.get(name) or _project_setting(name)


def _project_setting(name: str) -> str | None:
    """Return a setting of the Scrapy project around the working folder, or None."""
    config = next(
        (folder / "scrapy.cfg" for folder in _upwards(Path.cwd()) if (folder / "scrapy.cfg").is_file()), None
    )
    module = os.environ.get("SCRAPY_SETTINGS_MODULE") or (_settings_module(config) if config else None)
    if not module:
        return None
    folders = [*([config.parent] if config else []), *(Path(entry or ".") for entry in sys.path)]
    for folder in folders:
        stem = folder.joinpath(*module.split("."))
        for source in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
            if source.is_file():
                return _setting_in(source, module, folder, name)
    return None


def _upwards(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.parents


def _settings_module(config: Path) -> str | None:
    parser = configparser.ConfigParser()
    try:
        parser.read(config, encoding="utf-8")
        return parser.get("settings", os.environ.get("SCRAPY_PROJECT", "default"), fallback=None)
    except (configparser.Error, OSError, UnicodeError) as error:
        words = " ".join(str(error).split())
        raise LogError(f"{config} cannot be read: {words}; correct it, or name the log with --log") from error


def _setting_in(source: Path, module: str, folder: Path, name: str) -> str | None:
    """Return the last value that the settings module assigns, or None when it assigns none."""
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise LogError(f"{source} cannot be read: {error}; correct it, or name the log with --log") from error
    values = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    if not values:
        return None
    if len(values) == 1 and isinstance(values[0], ast.Constant) and isinstance(values[0].value, str):
        return values[0].value
    return _imported(source, module, folder, name)


def _imported(source: Path, module: str, folder: Path, name: str) -> str | None:
    """Import the settings module: its value is computed."""
    sys.path.insert(0, str(folder))
    try:
        value = getattr(importlib.import_module(module), name, None)
    except Exception as error:
        raise LogError(
            f"{source} fails when it is imported: {error!r}; correct it, or name the log with --log"
        ) from error
    finally:
        sys.path.remove(str(folder))
    return value if isinstance(value, str) and value else None
