"""CSV that a spreadsheet opens without harm: hostile names stay text, Japanese stays legible.

Cells that a spreadsheet could take for a formula get an apostrophe in front (OWASP ASVS 1.2.10); the file is
UTF-8 with a byte order mark, comma-separated, with CRLF (RFC 4180). Numbers are written as numbers. Pure.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from exporters.disclosure.page import visible
from policies.spreadsheet import BOM, spreadsheet_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporters.disclosure.figures import Figure, Scalar


def safe_cell(value: Scalar) -> str:
    """Return a cell as text; numbers as they are, text defused, NULL empty."""
    return visible(str(spreadsheet_cell(value)))


def encode_sheet(header: Sequence[str], rows: Iterable[Sequence[Scalar]]) -> bytes:
    """Return a CSV file."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return (BOM + stream.getvalue()).encode("utf-8")


def encode_domains(figure: Figure) -> bytes:
    """Return the domain list: domain, pages, bytes kept, share in hundredths of a percent."""
    return encode_sheet(("domain", "pages_kept", "bytes_kept", "share_basis_points"), figure.rows)
