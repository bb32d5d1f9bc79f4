"""The files of a disclosure, as octets: what is written for one agent, and the index over all of them.

The digest of `disclosure.json` stands in every page, and every file's digest in the index. Pure.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import rfc8785

from exporters.disclosure.canonical import encode_disclosure
from exporters.disclosure.html import render_html
from exporters.disclosure.markdown import render_markdown
from exporters.disclosure.sections import write_page
from exporters.disclosure.sheet import encode_domains
from exporters.disclosure.wording import iso_instant, load_wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.disclosure.document import Disclosure
    from exporters.files import PublishedFile

#: Every name that a disclosure may write, in the order of writing.
FILE_NAMES = (
    "disclosure.json",
    "disclosure.ja.html",
    "disclosure.en.html",
    "disclosure.ja.md",
    "disclosure.en.md",
    "domains.csv",
)
INDEX_SCHEMA = "sekisho.disclosure-index/1"


def render_files(document: Disclosure, languages: Sequence[str]) -> dict[str, bytes]:
    """Return file name to octets: disclosure.json, a page a language and format, domains.csv."""
    canonical = encode_disclosure(document)
    digest = hashlib.sha256(canonical).hexdigest()
    files: dict[str, bytes] = {"disclosure.json": canonical}
    for language in languages:
        words = load_wording(language)
        field = (words("table.field"), words("table.value"))
        for suffix in ("html", "md"):
            other = f"disclosure.{'en' if language == 'ja' else 'ja'}.{suffix}"
            linked = other if len(languages) > 1 else ""
            page = write_page(document, language, other=linked, digest=digest)
            body = render_html(page) if suffix == "html" else render_markdown(page, field)
            files[f"disclosure.{language}.{suffix}"] = body
    top = document.figures.get("top_domains")
    if top is not None:
        files["domains.csv"] = encode_domains(top)
    return files


def encode_index(documents: Sequence[Disclosure], written: Sequence[tuple[str, PublishedFile]]) -> bytes:
    """Return index.json: every file with its SHA-256, and what each disclosure was computed from."""
    members = {
        "schema": INDEX_SCHEMA,
        "generated_at": iso_instant(documents[0].generated_us),
        "authoritative_language": documents[0].config.authoritative_language,
        "csv": "UTF-8 with byte order mark; an apostrophe stands before what a spreadsheet could evaluate",
        "disclosures": [
            {
                "agent": document.agent,
                "folder": document.agent.lower(),
                "code_version": document.code.code_version,
                "eu_template": document.eu.code_version,
                "contradicted": [claim.id for claim in document.contradicted],
                "log_heads": [
                    {"segment": segment.id, "size": segment.size, "root": segment.root or None}
                    for segment in document.segments
                ],
            }
            for document in documents
        ],
        "files": [
            {"path": f"{folder}/{file.name}", "octets": file.size, "sha256": file.sha256}
            for folder, file in written
        ],
    }
    return rfc8785.dumps(members)  # type: ignore[arg-type]
