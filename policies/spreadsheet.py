"""Cells that a spreadsheet cannot take for a formula, whatever a site wrote (OWASP, CSV Injection).

A text that begins, after blanks, with a character that begins a formula gets an apostrophe before it
(https://owasp.org/www-community/attacks/CSV_Injection); the full-width forms count too, since Japanese
spreadsheets read them. Files begin with a byte order mark, so that they open as UTF-8. Pure.
"""

from __future__ import annotations

BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def spreadsheet_cell(value: object) -> object:
    """Return a value as a cell that stays a value; what is no text is returned as it is, None as empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    beginning = value.lstrip(" ") or value
    return f"'{value}" if beginning.startswith(_FORMULA) else value
