"""The disclosure in one language: which sections there are, in which order, and what stands in them.

Arranges what the document holds; computes no number of its own, so that every number keeps its query.
Pure: a `Disclosure` and a wording in, a `Page` out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.claims import Status
from exporters.disclosure.families import Family, family_of
from exporters.disclosure.lines import fact_lines, span
from exporters.disclosure.page import (
    Alarm,
    Bar,
    Block,
    Cell,
    Chart,
    Heading,
    KeyFigure,
    KeyFigures,
    Line,
    Page,
    Paragraph,
    Queries,
    QueryNote,
    Section,
    Table,
)
from exporters.disclosure.wording import load_wording
from policies.reasons import explain_reason

if TYPE_CHECKING:
    from exporters.disclosure.claims import Claim
    from exporters.disclosure.document import Disclosure, Item, Missing
    from exporters.disclosure.figures import Figure, Scalar
    from exporters.disclosure.wording import Wording

PRINTED_DOMAINS = 50
SHORT_DIGEST = 16
_SHEET = ("token", "user_agents", "operator", "description", "purposes", "period_observed", "period_declared",
          "third_parties", "honours", "contact", "info_page", "block_rule", "effect_of_blocking", "robots_max_age",
          "policy_versions")  # fmt: skip


def _int(value: Scalar) -> int:
    return value if isinstance(value, int) else 0


class _Writer:
    """The sections of one document in one language."""

    def __init__(self, document: Disclosure, words: Wording) -> None:
        self.document = document
        self.words = words
        self._numbers = {figure.id: number for number, figure in enumerate(document.all_figures, 1)}

    def refs(self, *figures: Figure) -> tuple[int, ...]:
        return tuple(self._numbers[figure.id] for figure in figures)

    def text(self, text: str, *, mono: bool = False) -> Cell:
        return Cell(lines=(Line(text=text, mono=mono),))

    def number(self, value: Scalar) -> Cell:
        return Cell(lines=(Line(text=self.words.number(_int(value))),), numeric=True)

    def reason(self, code: str) -> str:
        known = explain_reason(code)
        if known is None:
            return code
        return known.ja if self.words.language == "ja" else known.en

    def fact(self, name: str) -> tuple[Line, ...]:
        """Return the lines of a fact, with its queries on the last one; or the words for nothing recorded."""
        fact = self.document.facts[name]
        lines = fact_lines(fact, self.words)
        if not lines:
            why = "page.withheld" if name in self.document.withheld else "page.not_recorded"
            return (Line(text=self.words(why), badge="missing"),)
        refs = tuple(self._numbers[identity] for identity in fact.figures if identity in self._numbers)
        last = lines[-1]
        return (*lines[:-1], Line(text=last.text, mono=last.mono, refs=refs))

    # sections

    def summary(self) -> Section:
        words, figures = self.words, self.document.figures
        cells = [
            KeyFigure(
                label=words(f"summary.{label}"),
                value=words.number(figures[name].number),
                refs=self.refs(figures[name]),
            )
            for label, name in (
                ("decided", "decided"),
                ("not_fetched", "refused"),
                ("permitted", "permitted"),
                ("discarded", "discarded"),
                ("kept", "kept"),
                ("domain_count", "domain_count"),
            )
        ]
        kept = figures["bytes_kept"]
        cells.append(
            KeyFigure(
                label=words("summary.bytes_kept"),
                value=words.octets(kept.number).split("(")[0].strip(),
                refs=self.refs(kept),
            )
        )
        counts = [
            sum(claim.status is status for claim in self.document.claims)
            for status in (Status.SUPPORTED, Status.CONTRADICTED, Status.NOT_TESTED)
        ]
        cells.append(
            KeyFigure(
                label=words("summary.claims"), value=" / ".join(words.number(count) for count in counts)
            )
        )
        return Section(
            id="summary",
            title=words("section.summary"),
            blocks=(KeyFigures(cells=tuple(cells)), self.chart()),
        )

    def chart(self) -> Chart:
        words, figures = self.words, self.document.figures
        totals: dict[tuple[str, Family], int] = {}
        for family, stage, count, _hosts in figures["families"].rows:
            totals[str(stage), Family(str(family))] = _int(count)
        bars = [Bar(label=words("fact.kept"), value=figures["kept"].number,
                    number=words.number(figures["kept"].number), tone="kept")]  # fmt: skip
        for stage, tone, label in (
            ("response", "after", "table.after"),
            ("request", "before", "table.before"),
        ):
            for family in Family:
                count = totals.get((stage, family), 0)
                if count:
                    name = words("format.pair", label=words(label), value=words(f"family.{family.value}"))
                    bars.append(Bar(label=name, value=count, number=words.number(count), tone=tone))
        failed = figures["failed"].number
        if failed:
            bars.append(
                Bar(label=words("fact.failed"), value=failed, number=words.number(failed), tone="failed")
            )
        return Chart(
            title=words("chart.title"),
            description=words("chart.description"),
            bars=tuple(bars),
            refs=self.refs(figures["kept"], figures["families"], figures["failed"]),
        )

    def identity(self) -> Section:
        rows = tuple(
            (self.text(self.words(f"identity.{name}")), Cell(lines=self.fact(name))) for name in _SHEET
        )
        return self._section(
            "identity",
            Table(caption=self.words("section.identity"), headers=(), rows=rows, sheet=True),
        )

    def decisions(self) -> Section:
        words, figures = self.words, self.document.figures
        reasons = tuple(
            (
                self.text(words.known(f"verdict.{stage}_{verdict}", f"{stage} {verdict}")),
                Cell(lines=(Line(text=self.reason(str(reason))), Line(text=str(reason), mono=True))),
                self.number(count),
                self.number(hosts),
            )
            for stage, verdict, reason, count, hosts in figures["reasons"].rows
        )
        families: dict[str, dict[str, tuple[Scalar, Scalar]]] = {}
        for family, stage, count, hosts in figures["families"].rows:
            families.setdefault(str(family), {})[str(stage)] = (count, hosts)
        by_family = tuple(
            (
                self.text(words(f"family.{family.value}")),
                self.number(families.get(family.value, {}).get("request", (0, 0))[0]),
                self.number(families.get(family.value, {}).get("response", (0, 0))[0]),
            )
            for family in Family
        )
        return self._section(
            "decisions",
            Table(
                caption=words("table.family"),
                headers=(words("table.family"), words("table.before"), words("table.after")),
                rows=by_family,
                numeric=(1, 2),
                refs=self.refs(figures["families"]),
            ),
            Table(
                caption=words("table.reason"),
                headers=(
                    words("table.verdict"),
                    words("table.reason"),
                    words("table.count"),
                    words("table.hosts"),
                ),
                rows=reasons,
                numeric=(2, 3),
                refs=self.refs(figures["reasons"]),
            ),
        )

    def example_lines(self, claim: Claim) -> tuple[Line, ...]:
        words = self.words
        lines: list[Line] = []
        for test in claim.tests:
            if not test.found.number:
                continue
            lines.append(
                Line(
                    text=words("claims.examples", number=words.number(test.found.number)),
                    refs=self.refs(test.found, test.examples),
                )
            )
            lines += [
                Line(
                    text=words(
                        "claims.example",
                        segment=str(segment),
                        idx=str(idx),
                        time=words.instant(_int(ts_us)),
                        url=words("claims.address_erased") if url is None else str(url),
                        reason=str(reason),
                    ),
                    badge="example",
                )
                for segment, idx, ts_us, url, reason in test.examples.rows
            ]
        return tuple(lines)

    def claims(self) -> Section:
        words = self.words
        rows = []
        for claim in self.document.claims:
            how = [Line(text=words(f"claim_how.{claim.id}"))]
            if claim.status is Status.NOT_TESTED:
                how.append(
                    Line(text=words.known(f"claim_untested.{claim.id}", words("claim_untested.default")))
                )
            documents = max((test.documents for test in claim.tests), default=0)
            if documents:
                how.append(Line(text=words("claims.documents", number=words.number(documents))))
            rows.append(
                (
                    Cell(lines=(Line(text=words(f"claim.{claim.id}")), *self.example_lines(claim))),
                    Cell(lines=(Line(text=words(f"claims.{claim.status.value}"), badge=claim.status.value),)),
                    Cell(
                        lines=(
                            Line(
                                text=words.number(claim.examined),
                                refs=self.refs(*(test.found for test in claim.tests)),
                            ),
                        ),
                        numeric=True,
                    ),
                    Cell(lines=tuple(how)),
                )
            )
        return self._section(
            "claims",
            Paragraph(text=words("claims.intro"), style="lead"),
            Table(
                caption=words("section.claims"),
                headers=(
                    words("table.claim"),
                    words("table.result"),
                    words("table.examined"),
                    words("table.how"),
                ),
                rows=tuple(rows),
                numeric=(2,),
            ),
        )

    def robots(self) -> Section:
        words, figures = self.words, self.document.figures
        rows = tuple(
            (
                self.text(words.known(f"robots.file_verdict_{verdict}", str(verdict))),
                self.text("–" if status is None else str(status)),
                self.number(reads),
                self.number(hosts),
                self.text(span(words, first, last)),
            )
            for verdict, status, reads, hosts, first, last in figures["robots_files"].rows
        )
        sheet = tuple(
            (self.text(words(f"fact.{name}")), Cell(lines=self.fact(name)))
            for name in ("robots_hosts", "robots_unreachable_hosts", "refused_robots")
        )
        return self._section(
            "robots",
            Paragraph(text=words("robots.intro"), style="lead"),
            Table(caption=words("section.robots"), headers=(), rows=sheet, sheet=True),
            Table(
                caption=words("table.reads"),
                headers=(words("table.verdict"), words("table.status"), words("table.reads"), words("table.hosts"),
                         words("table.in_force")),
                rows=rows,
                numeric=(2, 3),
                refs=self.refs(figures["robots_files"]),
            ),
        )  # fmt: skip

    def lists(self) -> Section:
        words = self.words
        blocks: list[Block] = [Paragraph(text=words("lists.intro"), style="lead")]
        for known in self.document.lists:
            state = words(
                "lists.state",
                digest=known.sha256,
                span=span(words, known.first_us, known.last_us),
                decisions=words.number(known.decisions),
            )
            rows = tuple(
                (
                    Cell(
                        lines=(Line(text=source.title or source.id), Line(text=source.authority or source.id))
                    ),
                    self.text(words.known(f"weight.{source.weight}", source.weight)),
                    self.number(source.entries),
                    self.text(source.dated or words("page.not_recorded")),
                    self.text(source.sha256[:SHORT_DIGEST] + "…", mono=True),
                )
                for source in known.sources
            )
            if rows:
                blocks.append(
                    Table(
                        caption=state,
                        headers=(words("table.list"), words("table.weight"), words("table.entries"),
                                 words("table.obtained"), words("table.digest")),
                        rows=rows,
                        numeric=(2,),
                        refs=self.refs(self.document.figures["blocklists"]),
                    )
                )  # fmt: skip
            else:
                blocks.append(
                    Paragraph(text=f"{state} {words(f'missing.{known.problem}')}" if known.problem else state)
                )
        return self._section("lists", *blocks)

    def content(self) -> Section:
        words, figures = self.words, self.document.figures
        blocks: list[Block] = []
        for name, prefix in (("modalities", "modality."), ("media_types", "")):
            if name not in figures:
                blocks.append(
                    Paragraph(text=f"{words(f'fact.{name}')}: {words('page.withheld')}", style="note")
                )
                continue
            rows = tuple(
                (
                    self.text(
                        words.known(f"{prefix}{label}", str(label))
                        if label
                        else words("answer.media_undeclared"),
                        mono=not prefix and bool(label),
                    ),
                    self.number(pages),
                    self.number(octets),
                )
                for label, pages, octets in figures[name].rows
            )
            head = words("table.modality" if prefix else "table.media_type")
            blocks.append(
                Table(
                    caption=words(f"fact.{name}"),
                    headers=(head, words("table.pages"), words("table.bytes")),
                    rows=rows,
                    numeric=(1, 2),
                    refs=self.refs(figures[name]),
                )
            )
        return self._section("content", *blocks)

    def domains(self) -> Section:
        words, figures = self.words, self.document.figures
        if "top_domains" not in figures:
            return self._section("domains", Paragraph(text=words("page.withheld"), style="note"))
        top = figures["top_domains"]
        rule = words(str(self.document.facts["domain_rule"].rows[0][0]))
        shown = words.number(len(top.rows))
        blocks: list[Block] = [
            Paragraph(text=words("domains.intro"), style="lead"),
            Paragraph(
                text=words(
                    "domains.rule", shown=shown, all=words.number(figures["domain_count"].number), rule=rule
                )
            ),
        ]
        if len(top.rows) > PRINTED_DOMAINS:
            blocks.append(
                Paragraph(
                    text=words(
                        "domains.cut", cut=words.number(PRINTED_DOMAINS), shown=shown, file="domains.csv"
                    ),
                    style="note",
                )
            )
        rows = tuple(
            (
                self.text(str(name), mono=True),
                self.number(pages),
                self.number(octets),
                Cell(lines=(Line(text="–" if share is None else words.share(_int(share))),), numeric=True),
            )
            for name, pages, octets, share in top.rows[:PRINTED_DOMAINS]
        )
        blocks.append(
            Table(
                caption=words("section.domains"),
                headers=(
                    words("table.domain"),
                    words("table.pages"),
                    words("table.bytes"),
                    words("table.share"),
                ),
                rows=rows,
                numeric=(1, 2, 3),
                refs=self.refs(top, figures["domain_count"]),
            )
        )
        return self._section("domains", *blocks)

    def _answer_lines(self, item: Item) -> tuple[Line, ...]:
        words = self.words
        lines: list[Line] = []
        declaration = item.declaration
        if declaration is not None:
            for label, text in (
                ("statement", declaration.statement),
                ("explanation", declaration.explanation),
            ):
                if text is not None:
                    said = text.ja if words.language == "ja" else text.en
                    lines.append(Line(text=words("format.pair", label=words(f"answer.{label}"), value=said)))
            if declaration.completion_date is not None:
                day = words.day(declaration.completion_date.isoformat())
                lines.append(Line(text=words("answer.completion", day=day)))
        for name in item.facts:
            first, *rest = self.fact(name)
            labelled = words("format.pair", label=words(f"fact.{name}"), value=first.text)
            lines += [Line(text=labelled, refs=first.refs), *rest]
        return tuple(lines) or (Line(text=words("page.not_recorded"), badge="missing"),)

    def code(self, identity: str, status: str, items: tuple[Item, ...], *, english_too: bool) -> Section:
        words = self.words
        rows = []
        for item in items:
            labels = [Line(text=item.item.label(words.language))]
            if english_too and words.language != "en":
                labels.append(Line(text=item.item.label_en))
            labels.append(Line(text=item.item.id, mono=True))
            rows.append(
                (
                    Cell(lines=tuple(labels)),
                    self.text(
                        words(f"level.{'explain' if item.status == 'explanation' else item.item.level}")
                    ),
                    Cell(lines=self._answer_lines(item)),
                )
            )
        return self._section(
            identity,
            Paragraph(text=status, style="note"),
            Table(
                caption=words(f"section.{identity}"),
                headers=(words("table.item"), words("table.level"), words("table.answer")),
                rows=tuple(rows),
            ),
        )

    def log(self) -> Section:
        words, document = self.words, self.document
        check = document.verification
        if check.verified:
            said = words(
                "log.verified", records=words.number(check.records), segments=words.number(check.segments)
            )
        else:
            said = words("log.unverified", problem=check.problem)
        rows = tuple(
            (
                Cell(lines=(Line(text=segment.run), Line(text=segment.id, mono=True))),
                self.number(segment.size),
                self.text(words.instant(segment.opened_us)),
                self.text(words("table.sealed") if segment.sealed else words("table.open")),
                self.text(segment.root or words("page.not_recorded"), mono=bool(segment.root)),
            )
            for segment in document.segments
        )
        return self._section(
            "log",
            Paragraph(text=said),
            Paragraph(text=words("log.intro"), style="lead"),
            Table(
                caption=words("table.run"),
                headers=(words("table.run"), words("table.records"), words("table.opened"), words("table.sealed"),
                         words("table.root")),
                rows=rows,
                numeric=(1,),
                refs=self.refs(document.figures["segments"]),
            ),
            Paragraph(text=words("log.again"), style="note"),
        )  # fmt: skip

    def missing_subject(self, missing: Missing) -> str:
        words = self.words
        kind, _, name = missing.subject.partition(".")
        if kind == "claim":
            return words("missing_subject.claim", name=words(f"claim.{name}"))
        if kind == "fact":
            return words(f"fact.{name}")
        items = {item.item.id: item.item for item in (*self.document.items, *self.document.eu_items)}
        if missing.subject in items:
            return f"{items[missing.subject].label(words.language)} ({missing.subject})"
        known = words.known(f"missing_subject.{missing.subject}", "")
        return known or missing.subject

    def missing(self) -> Section:
        words = self.words
        if not self.document.missing:
            return self._section("missing", Paragraph(text=words("missing.nothing")))
        rows = []
        for missing in self.document.missing:
            what = [Line(text=self.missing_subject(missing))]
            if missing.detail:
                what.append(Line(text=missing.detail, mono=True))
            why = words(f"missing.{missing.why}", count=words.number(missing.count))
            rows.append((Cell(lines=tuple(what)), self.text(why)))
        return self._section(
            "missing",
            Paragraph(text=words("missing.intro"), style="lead"),
            Table(
                caption=words("section.missing"),
                headers=(words("table.where"), words("table.why")),
                rows=tuple(rows),
            ),
        )

    def queries(self) -> Section:
        words = self.words
        notes = tuple(
            QueryNote(
                number=number,
                id=figure.id,
                statement=figure.statement,
                rows=words("queries.rows", number=words.number(len(figure.rows))),
            )
            for number, figure in enumerate(self.document.all_figures, 1)
        )
        return self._section(
            "queries", Paragraph(text=words("queries.intro"), style="lead"), Queries(notes=notes)
        )

    def _section(self, identity: str, *blocks: Block) -> Section:
        return Section(id=identity, title=self.words(f"section.{identity}"), blocks=blocks)

    # the page

    def operator(self) -> tuple[tuple[str, str], ...]:
        words, config = self.words, self.document.config
        japanese = words.language == "ja"
        lines = fact_lines(self.document.facts["operator"], words)
        rows = [(words("page.operator"), lines[0].text if lines else words("page.not_recorded"))]
        if config.provider is not None:
            name = config.provider.name_ja if japanese and config.provider.name_ja else config.provider.name
            rows.append((words("page.provider"), name))
        if config.models:
            names = [f"{model.name} {model.version or ''}".strip() for model in config.models]
            rows.append((words("page.models"), words("format.list_separator").join(names)))
        return tuple(rows)

    def meta(self) -> tuple[str, ...]:
        words, document = self.words, self.document
        found = [words("page.generated", time=words.instant(document.generated_us))]
        period = document.facts["period_observed"].rows
        if period:
            found.append(words("page.period", period=span(words, period[0][0], period[0][1])))
        if document.scope.since_us is not None:
            found.append(words("page.scope_from", time=words.instant(document.scope.since_us)))
        if document.scope.until_us is not None:
            found.append(words("page.scope_to", time=words.instant(document.scope.until_us)))
        language = document.config.authoritative_language
        found.append(
            words("page.authoritative", language=words(f"page.language_{language}"))
            if language
            else words("page.authoritative_unknown")
        )
        return tuple(found)

    def alarm(self) -> Alarm | None:
        contradicted = self.document.contradicted
        if not contradicted:
            return None
        words = self.words
        return Alarm(
            title=words("claims.alarm", number=words.number(len(contradicted))),
            body=words("claims.alarm_body"),
            lines=tuple(words(f"claim.{claim.id}") for claim in contradicted),
        )

    def page(self, *, other: str, digest: str) -> Page:
        words, document = self.words, self.document
        sections = (
            self.summary(),
            self.claims(),
            self.identity(),
            self.decisions(),
            self.robots(),
            self.lists(),
            self.content(),
            self.domains(),
            self.code("principle", document.code.status(words.language), document.items, english_too=False),
            self.code("eu", document.eu.status(words.language), document.eu_items, english_too=True),
            self.log(),
            self.missing(),
            self.queries(),
        )
        return Page(
            language=words.language,
            title=words("page.title"),
            heading=words("page.heading", agent=document.agent),
            operator=self.operator(),
            meta=self.meta(),
            lead=words("page.lead"),
            skip=words("page.skip"),
            contents=words("page.contents"),
            other_language=next(language for language in ("ja", "en") if language != words.language),
            other=other,
            other_label=words("page.other_language"),
            query_word=words("page.query", number=""),
            alarm=self.alarm(),
            sections=sections,
            footer=(
                Line(text=words("page.footer_digest")),
                Line(text=digest, mono=True),
                Line(
                    text=words(
                        "page.footer_code",
                        code=f"{document.code.title(words.language)} ({document.code.code_version})",
                        eu=f"{document.eu.title(words.language)} ({document.eu.code_version})",
                    )
                ),
                Line(text=words("page.footer_files")),
            ),
        )


def write_page(document: Disclosure, language: str, *, other: str, digest: str) -> Page:
    """Return the disclosure in one language; `other` addresses the other one, `digest` is that of the JSON."""
    return _Writer(document, load_wording(language)).page(other=other, digest=digest)


__all__ = ["PRINTED_DOMAINS", "Heading", "write_page"]
