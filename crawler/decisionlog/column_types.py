"""The types of texts and URLs in the tables of a log: what they become on their way to a table and back.

PostgreSQL orders them by their octets, as SQLite does, and keeps them as `portable_text` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from crawler.decisionlog.portable_text import read_text, read_url, stored_text, stored_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect


class KeptText(TypeDecorator[str]):
    """A text. PostgreSQL orders it by its octets, as SQLite does, and keeps it as `portable_text` says."""

    impl = Text
    cache_ok = True
    read: ClassVar[Callable[[str], str | bytes]] = staticmethod(read_text)
    stored: ClassVar[Callable[[Any], str]] = staticmethod(stored_text)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that the engine has for it."""
        return TEXT(collation="C") if dialect.name == "postgresql" else dialect.type_descriptor(Text())

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Return what a value becomes on its way to the table: nothing else in SQLite."""
        if dialect.name != "postgresql":
            return None
        return lambda value: None if value is None else type(self).stored(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what a value becomes on its way from the table."""
        if dialect.name != "postgresql":
            return None
        return lambda value: None if value is None else type(self).read(value)


class _AnyText(UserDefinedType[Any]):
    """SQLite's ANY: a URL that is no valid Unicode is kept as octets, every other one as text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "ANY"


class KeptUrl(KeptText):
    """A URL: a text, or octets when it is no valid Unicode."""

    cache_ok = True
    read: ClassVar[Callable[[str], str | bytes]] = staticmethod(read_url)
    stored: ClassVar[Callable[[Any], str]] = staticmethod(stored_url)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that the engine has for it."""
        return super().load_dialect_impl(dialect) if dialect.name == "postgresql" else _AnyText()
