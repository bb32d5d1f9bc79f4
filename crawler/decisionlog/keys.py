"""The key that signs a log's checkpoints: one Ed25519 key in a file outside the database.

PEM (PKCS #8, RFC 5208), unencrypted, because a crawl starts without a person; the file's permissions guard
it, and a file that others can read is refused. Keep it on a machine or a volume that those who can change the
database cannot read: who has both can rewrite history back to the last checkpoint that somebody else holds.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from blocklists.durable import sync
from crawler.decisionlog.endless import refuse_endless
from crawler.decisionlog.errors import LogError

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT: Final = 16 * 1024
_LOOSE: Final = stat.S_IRWXG | stat.S_IRWXO


def load_key(path: Path) -> Ed25519PrivateKey:
    """Return the key in a file. Raises LogError, also for a file that others can read."""
    try:
        refuse_endless(path)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno())
            octets = file.read(_LIMIT + 1)
    except OSError as error:
        raise LogError(
            f"the key {path} of the log cannot be read: {error.strerror or error};"
            " give this user read access, or name another file with SEKISHO_LOG_KEY_FILE"
        ) from error
    if mode.st_mode & _LOOSE:
        raise LogError(
            f"others can read or write the key {path} (mode {stat.S_IMODE(mode.st_mode):04o}):"
            f" run `chmod 600 {path}`, and replace the key if they may have read it"
        )
    try:
        key = load_pem_private_key(octets, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LogError(
            f"{path} holds no private key in PEM: {_line(error)}; restore it from its copy"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LogError(f"{path} holds a key that is not Ed25519: name another file with SEKISHO_LOG_KEY_FILE")
    return key


def create_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and its file (mode 0600), durably. Raises LogError; never writes over a file."""
    key = Ed25519PrivateKey.generate()
    octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # A name of its own: what a process left that was killed here must not be in the way of the next one.
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            os.link(part, path)  # appears whole, and never over another one
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        sync(path.parent)
    except OSError as error:
        raise LogError(
            f"the key {path} of the log cannot be made: {error.strerror or error};"
            " name a file that can be written with SEKISHO_LOG_KEY_FILE"
        ) from error
    return key


def load_or_create_key(path: Path) -> Ed25519PrivateKey:
    """Return the key in the file, which is made when it is not there. Raises LogError."""
    if not path.exists():
        try:
            return create_key(path)
        except LogError as error:
            if not isinstance(error.__cause__, FileExistsError):
                raise
            # another process was first
    key = load_key(path)
    try:
        sync(path.parent)  # whoever made it may have died before its name was durable
    except OSError as error:
        raise LogError(f"the folder of the key {path} cannot be synced: {error.strerror or error}") from error
    return key


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
