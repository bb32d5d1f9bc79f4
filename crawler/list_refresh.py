"""One refresh inside a guarded run: asks for each list that is due, judges the answers, and compiles.

What is decided about a list is recorded, durably, before anything on disk changes. An accepted list takes its
place at once; everything else leaves the last good one where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import rfc8785

from blocklists.formats.header import read_header
from blocklists.refresh_judge import Answer, Concern, Decision, Outcome, judge_answer
from blocklists.refresh_plan import SourceState, conditional_headers
from blocklists.refresh_state import load_states, save_states
from blocklists.refresh_store import (
    compile_lists,
    drop_held,
    held_octets,
    last_good,
    manifest_of,
    put_fetched,
    put_held,
    read_answer,
)
from blocklists.unpack import GZIP_MAGIC
from crawler.decisionlog.record import Document
from crawler.list_files import ListFiles
from policies.vocabulary import Reason

if TYPE_CHECKING:
    from pathlib import Path

    from scrapy.crawler import Crawler

    from blocklists.index import IndexChoice
    from blocklists.refresh_judge import LastGood, Reading
    from blocklists.refresh_sources import Definition
    from blocklists.store_build import Built
    from crawler.checkpoint import Checkpoint

SCHEMA = "sekisho.list-refresh/1"
_REASONS = {
    Outcome.ACCEPTED: Reason.LIST_REFRESHED,
    Outcome.UNCHANGED: Reason.LIST_UNCHANGED,
    Outcome.HELD: Reason.LIST_HELD,
    Outcome.FAILED: Reason.LIST_FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What became of one list: `before` and `entries` count the last good list and the answer."""

    source_id: str
    decision: Decision
    address: str
    before: int | None
    entries: int | None


@dataclass(slots=True, kw_only=True)
class Refresh:
    """The outcome of a whole refresh; `built` is None when nothing had to be compiled."""

    lists: list[Refreshed] = field(default_factory=list)
    built: Built | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do: definitions that are due, and the digest that a person accepted for a held list.

    `index` and `keep` say how to compile: with which index, and how many snapshots stay.
    """

    folder: Path
    definitions: tuple[Definition, ...]
    accepted: dict[str, str]
    index: IndexChoice
    keep: int


class ListRefresh:
    """See the module."""

    def __init__(self, crawler: Crawler, checkpoint: Checkpoint, order: Order) -> None:
        self._checkpoint = checkpoint
        self._order = order
        self._files = ListFiles(crawler, checkpoint)
        self._states = load_states(order.folder)

    async def run(self) -> Refresh:
        """Refresh every list of the order, then compile if anything changed."""
        done = Refresh()
        for definition in self._order.definitions:
            done.lists.append(await self._one(definition))
        if any(one.decision.outcome is Outcome.ACCEPTED for one in done.lists):
            done.built = await self._compile()
        return done

    async def _one(self, definition: Definition) -> Refreshed:
        folder = self._order.folder
        last = last_good(folder, definition.id)
        state = self._states.get(definition.id, SourceState())
        if last is None or last.sha256 != state.sha256:  # what was described is not what is here
            state = replace(state, sha256="" if last is None else last.sha256, etag="", last_modified="")
        answer, decision, entries = await self._first_that_answers(definition, state, last)
        await self._note(definition, answer, decision, state, entries)
        self._act(definition, answer, decision, state)
        return Refreshed(
            source_id=definition.id,
            decision=decision,
            address=answer.url,
            before=last.entries if last else None,
            entries=entries,
        )

    async def _first_that_answers(
        self, definition: Definition, state: SourceState, last: LastGood | None
    ) -> tuple[Answer, Decision, int | None]:
        """Return the answer of the first address that brings a list, else the best of the bad ones."""
        reviewed = self._reviewed(definition, state)
        if reviewed is not None:
            return self._judge(definition, reviewed, last)
        tried: list[tuple[Answer, Decision, int | None]] = []
        for number, url in enumerate(definition.urls):
            # Validators belong to the address that gave them.
            known = state if url == state.address or (number == 0 and not state.address) else SourceState()
            answer = await self._ask(definition, url, conditional_headers(known))
            found = self._judge(definition, answer, last)
            if not found[1].tries_elsewhere():
                return found
            tried.append(found)
        return next((one for one in tried if one[1].outcome is Outcome.HELD), tried[0])

    def _judge(
        self, definition: Definition, answer: Answer, last: LastGood | None
    ) -> tuple[Answer, Decision, int | None]:
        counted: list[int] = []
        decision = judge_answer(
            definition.demands(),
            answer,
            last,
            partial(self._read, definition, counted),
            accepted_sha256=self._order.accepted.get(definition.id, ""),
        )
        return answer, decision, counted[0] if counted else None

    def _reviewed(self, definition: Definition, state: SourceState) -> Answer | None:
        """Return the held octets that a person accepted; None to ask again, as for a signature."""
        digest = self._order.accepted.get(definition.id)
        if digest is None or definition.minisign_key:
            return None
        octets = held_octets(self._order.folder, definition.id, digest)
        address = state.held_address or definition.urls[0]
        return None if octets is None else Answer(url=address, status=200, body=octets)

    async def _ask(self, definition: Definition, url: str, headers: tuple[tuple[str, str], ...]) -> Answer:
        pins = frozenset(definition.pinned_hosts)
        answer = await self._files.ask(url, pinned_hosts=pins, headers=headers)
        if not definition.minisign_key or not answer.body:
            return answer
        signature = await self._files.ask(f"{url}.minisig", pinned_hosts=pins)
        found = signature.body if signature.status == 200 else b""  # noqa: PLR2004 - OK
        return replace(answer, signature=found)

    def _read(self, definition: Definition, counted: list[int], octets: bytes) -> Reading:
        reading = read_answer(definition, octets, own_names(self._checkpoint))
        if not reading.problem and not reading.miscounted:
            counted.append(reading.entries)
        return reading

    def _act(self, definition: Definition, answer: Answer, decision: Decision, state: SourceState) -> None:
        folder, now = self._order.folder, self._checkpoint.clock.now_us()
        state = replace(state, tried_at=now, problem="", held_sha256="", held_address="", failures=0)
        outcome = decision.outcome
        if outcome is Outcome.ACCEPTED:
            manifest = manifest_of(definition, digest=decision.sha256, address=answer.url, fetched_at=now)
            put_fetched(folder, manifest, answer.body)
            state = replace(state, sha256=decision.sha256, fetched_at=now)
        if outcome in (Outcome.ACCEPTED, Outcome.UNCHANGED):
            drop_held(folder, definition.id)
            described = answer.status == 200  # noqa: PLR2004 - a 304 describes nothing anew
            state = replace(
                state,
                checked_at=now,
                address=answer.url if described else state.address,
                etag=answer.etag if described else state.etag,
                last_modified=answer.last_modified if described else state.last_modified,
                expires_hours=_expires(definition, answer.body) if described else state.expires_hours,
            )
        else:
            before = self._states.get(definition.id, SourceState())
            state = replace(state, failures=before.failures + 1, problem=decision.words[:1000])
            if any(concern is Concern.NOTHING_TO_KEEP for concern, _ in decision.concerns):
                state = replace(state, etag="", last_modified="")
            if outcome is Outcome.HELD:
                put_held(folder, definition.id, answer.body, decision)
                state = replace(state, held_sha256=decision.sha256, held_address=answer.url)
        self._states[definition.id] = state
        save_states(folder, self._states)

    async def _note(
        self,
        definition: Definition,
        answer: Answer,
        decision: Decision,
        state: SourceState,
        entries: int | None,
    ) -> None:
        """Record what was decided about a list, before it is done."""
        members: dict[str, object] = {
            "schema": SCHEMA,
            "list": definition.id,
            "licence": definition.licence,
            "outcome": decision.outcome.value,
            "address": answer.url,
            "sha256": decision.sha256,
            "before_sha256": state.sha256,
            "concerns": [{"concern": concern.value, "words": words} for concern, words in decision.concerns],
        }
        if answer.status is not None:
            members["status"] = answer.status
        if entries is not None:
            members["entries"] = entries
        if self._order.accepted.get(definition.id) == decision.sha256:
            members["accepted_by_operator"] = True
        said = {name: value for name, value in members.items() if value not in ("", [])}
        document = Document(kind="list_refresh", body=rfc8785.dumps(said))  # type: ignore[arg-type]
        await self._checkpoint.record.note(_REASONS[decision.outcome], document)

    async def _compile(self) -> Built:
        checkpoint, folder = self._checkpoint, self._order.folder
        order, now_us = self._order, checkpoint.clock.now_us()
        built = compile_lists(folder, now_us=now_us, index=order.index, keep=order.keep)
        manifest = (built.path / "manifest.json").read_bytes()
        members: dict[str, str | int] = {
            "schema": "sekisho.lists-change/1",
            "from": built.previous or checkpoint.snapshot.sha256,
            "to": built.sha256,
            "entries": built.entries,
        }
        await checkpoint.record.note(
            Reason.LISTS_CHANGED,
            Document(kind="lists_change", body=rfc8785.dumps(members)),
            extra=(Document(kind="blocklist", body=manifest),),
        )
        return built


def own_names(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the hosts of the operator and of its contact page: no honest list names them."""
    policy = checkpoint.agent.policy
    urls = (str(policy.operator.url or ""), str(policy.contact.info_page or ""))
    return tuple(sorted({host for url in urls if (host := urlsplit(url).hostname)}))


def _expires(definition: Definition, body: bytes) -> int:
    hours = None if body.startswith(GZIP_MAGIC) else read_header(body).expires_hours
    return definition.expires if hours is None else hours
