"""`sekisho check --init`: start a policies folder and a lists folder, never overwriting anything.

Writes an agent file made of the given answers and comments that explain it. On a terminal it asks for what
was not given; without one it takes placeholders, with which only loopback may be crawled.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, SekishoError, UsageError
from policies.agents import AgentError, Honour, has_placeholder_contact, parse_agent
from policies.agents_model import TOKEN_PATTERN
from policies.vocabulary import Purpose

if TYPE_CHECKING:
    import argparse
    from datetime import date

_LIST_MANIFEST = """\
# Says what the list beside it is and who stands behind it. The crawl loads every list of this folder when it
# starts, and refuses to start when one cannot be read. Add further lists in the same way: a list, a manifest.
id = "own"
title = "Domains that this operator does not visit"
file = "own.txt"
format = "plain"     # one domain a line
scope = "subtree"    # a domain and everything below it
weight = "operator"  # court_order, authority_decision, rights_holder_list, community, operator, …
"""
_LIST = """\
# One domain a line. The entry below exists nowhere (RFC 2606); replace it by yours.
pirated-works.invalid
"""


def add_init_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--init` and its answers."""
    group = parser.add_argument_group("starting a project")
    group.add_argument(
        "--init", action="store_true", help="write an agent file and a lists folder; overwrites nothing"
    )
    group.add_argument("--token", metavar="TOKEN", help="product token, letters, '-' and '_' (default MyBot)")
    group.add_argument("--contact", metavar="URL", help="page about the crawler, with a way to reach you")
    group.add_argument("--operator", metavar="NAME", help="who runs the crawler")
    group.add_argument(
        "--purpose", action="append", choices=[str(value) for value in Purpose], help="may be repeated"
    )


def _answer(given: str | None, question: str, fallback: str) -> str:
    """Return the option, or ask on a terminal, or take the fallback."""
    if given is not None:
        return given
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return fallback
    sys.stderr.write(f"{question} [{fallback}]: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or fallback


def _quoted(text: str) -> str:
    """Return a TOML basic string (TOML 1.0.0, section String)."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'


def _site(page: str) -> str:
    found = re.match(r"https?://[^/?#]*", page)
    return f"{found[0]}/" if found else page


def agent_template(*, token: str, page: str, operator: str, purposes: tuple[str, ...], today: date) -> str:
    """Return a commented agent file; what it says is still to be checked by `parse_agent`."""
    honours = "".join(f"  {_quoted(honour.value)},\n" for honour in Honour)
    return f"""\
# The declaration of one crawler. The crawl runs on exactly this file, and what is published is made from it.
# `sekisho check` says what is wrong with it, file and line.
schema = "sekisho.agent/1"

# What site owners write after "User-agent:" in robots.txt. The file is named after it, in lower case.
token = {_quoted(token)}

# Add one with every published change, keep the old file as
# agents/history/{token.lower()}/<version>.toml, and say why in changes/<date>-<slug>.toml.
version = 1

# First day (UTC) on which this version may be used.
effective_from = {today.isoformat()}

# Sent with every request, whatever a spider sets.
user_agent = {_quoted(f"Mozilla/5.0 (compatible; {token}/1.0; +{page})")}

# Why it collects; one or several of {", ".join(Purpose)}.
purposes = [{", ".join(_quoted(purpose) for purpose in purposes)}]

# What it honours. All of it is enforced; only the last can be switched off ([signals]; leave it out then).
honours = [
{honours}]

[operator]
name = {_quoted(operator)}
url = {_quoted(_site(page))}

# Where a site owner reaches a person: a page about the crawler, and a form (url) or an e-mail address.
# Also for those whose site a block list names wrongly.
[contact]
info_page = {_quoted(page)}
url = {_quoted(page)}
# email = "bot@your-company.jp"

# From when until when it collects: a start, and either an end or ongoing = true.
[collection]
start = {today.isoformat()}
ongoing = true

[robots]
max_age_seconds = 86400        # read robots.txt again after this, at most 86400 (RFC 9309 section 2.4)
max_crawl_delay_seconds = 300  # a site that asks for a longer Crawl-delay is skipped

# What follows for a site that blocks the crawler. Site owners ask; say it in both languages.
[effect_of_blocking]
en = "Pages of the site are not collected from the next reading of its robots.txt on."
ja = "次に robots.txt を読み取った時点から、そのサイトのページは収集されません。"
"""


def _write_new(path: Path, text: str) -> bool:
    """Write a file that does not exist yet; False when it does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise SekishoError(f"cannot write {path}: {error.strerror or error}") from error
    return True


def initialise(arguments: argparse.Namespace, folder: Path) -> int:
    """Write what is missing below `folder` and say what was written; exit 0 also when nothing was."""
    token = _answer(arguments.token, "Product token of your crawler", "MyBot")
    if not re.fullmatch(TOKEN_PATTERN, token):
        raise UsageError(f"--token {token!a}: letters, '-' and '_' only (RFC 9309 section 2.2.1)")
    page = _answer(
        arguments.contact, "Page about your crawler, with a contact", "https://crawler.example.com/bot"
    )
    operator = _answer(arguments.operator, "Who runs it", "Example Corporation")
    purposes = tuple(dict.fromkeys(arguments.purpose or [Purpose.AI_TRAINING.value]))
    today = datetime.now(UTC).date()
    text = agent_template(token=token, page=page, operator=operator, purposes=purposes, today=today)
    try:
        policy = parse_agent(text.encode(), "the agent file")
    except AgentError as error:
        raise UsageError(f"these answers make no valid agent file: {error}") from None
    policies = Path(arguments.policies or "policies")
    lists = Path(arguments.blocklists or "lists")
    wanted = {
        folder / policies / "agents" / f"{token.lower()}.toml": text,
        folder / lists / "own.toml": _LIST_MANIFEST,
        folder / lists / "own.txt": _LIST,
    }
    for path, content in wanted.items():
        shown = path.relative_to(folder) if path.is_relative_to(folder) else path
        print(f"wrote {shown}" if _write_new(path, content) else f"kept {shown}, which was there already")
    if has_placeholder_contact(policy):
        sys.stderr.write(
            "sekisho: the contact is a placeholder: only loopback may be crawled until it is real\n"
        )
    sys.stderr.write("sekisho: next: edit the agent file, then run sekisho check\n")
    return ExitCode.DONE
