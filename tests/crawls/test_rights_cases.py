"""The numbered hard cases of rights and preferences, over the road: what was asked, what was kept, what is said."""

import json
from datetime import UTC, datetime

import pytest
from loopback import Project, Reply, Web, page, robots

from crawler.decisionlog.reader import LogReader
from policies.basis import decode_basis

TEXT = (("Content-Type", "text/plain"),)
JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html; charset=utf-8"),)
TDMREP = "/.well-known/tdmrep.json"


def html(head="", body="text", *, headers=()):
    octets = f"<!doctype html><html><head><title>t</title>{head}</head><body>{body}</body></html>".encode()
    return Reply(200, (*HTML, *headers), octets)


def meta(content, name="robots"):
    return f'<meta name="{name}" content="{content}">'


class Sites:
    """Hosts named by their case, crawled once; every page is asked for on its own host."""

    def __init__(self, web, project):
        self.web, self.project = web, project
        self.urls = {}
        self.crawl = None

    def add(self, name, *, robots_txt="", reply=None, path="/x", files=(), also=()):
        host = f"{name}.localhost"
        self.web.site(host, robots_txt if isinstance(robots_txt, Reply) else robots(robots_txt))
        for where, file in files:
            self.web.add(host, where, file)
        self.urls[name] = self.web.add(host, path, reply or html())
        for where, other in also:
            self.urls[f"{name}{where}"] = self.web.add(host, where, other)

    def run(self, **changes):
        agent = self.project.folder / "policies_here/agents/examplebot.toml"
        agent.write_text(
            agent.read_text().replace('["ai-training"]', json.dumps(changes.get("purposes", ["ai-training"])))
        )
        agent.write_text(agent.read_text() + changes.get("signals", ""))
        self.crawl = self.project.crawl(*self.urls.values(), options=("-s", "RETRY_ENABLED=0"))
        assert self.crawl.code == 0, self.crawl.stderr[-3000:]
        self._kept = set(self.crawl.kept())
        return self

    def asked(self, name):
        """Return whether the server received a request for the page of a case."""
        url = self.urls[name]
        return any(self.web.url(one.host, one.path) == url for one in self.web.received)

    def outcome(self, name):
        """Return `kept`, or where and why the page of a case was refused."""
        url = self.urls[name]
        if url in self._kept:
            return "kept"
        return f"{'dropped' if self.asked(name) else 'not asked'}: {self.crawl.reason(url)}"

    def outcomes(self, *names):
        return {name: self.outcome(name) for name in names}

    def said(self, name):
        """Return all evidence about the page of a case as one text."""
        words = []
        with LogReader.open(f"sqlite:///{self.project.folder / 'log.db'}") as reader:
            for one in self.crawl.records:
                if one.url == self.urls[name] and one.basis_sha256:
                    for verdict in decode_basis(reader.document(one.basis_sha256).body).verdicts:
                        words += [f"{each.line} {each.text} {each.note}" for each in verdict.evidence]
        return "\n".join(words)


def preferences(sites):
    usage = "User-agent: *\nContent-Usage: {}\n"
    sites.add("c37", robots_txt=usage.format("train-ai=n\nContent-Usage: /x/ train-ai=y"), path="/x/a",
              also=[("/y", html())])  # fmt: skip
    sites.add("c37-same", robots_txt=usage.format("/x train-ai=y\nContent-Usage: /x train-ai=n"))
    for number, value in enumerate(
        ("train-ai=n, train-ai", "Train-AI=n", 'train-ai="n"', "train-ai=?0", "train-ai=no")
    ):
        sites.add(f"c38-{number}", robots_txt=usage.format(value))
    sites.add("c39-usage", robots_txt=usage.format("ai-train=n"))
    sites.add("c39-signal", robots_txt="User-agent: *\nContent-Signal: train-ai=no\n")
    sites.add("c39-grant", robots_txt=usage.format("train-ai=n\nContent-Usage: ai-train=y"))
    two = (("Content-Usage", "search=y"), ("Content-Usage", "train-ai=n"))
    sites.add("c40-two", reply=html(headers=two))
    sites.add(
        "c40-places",
        robots_txt=usage.format("train-ai=n"),
        reply=html(headers=(("Content-Usage", "train-ai=y"),)),
    )
    sites.add(
        "c40-header",
        robots_txt=usage.format("train-ai=y"),
        reply=html(headers=(("Content-Usage", "train-ai=n"),)),
    )
    sites.add(
        "c41",
        robots_txt="User-agent: OtherBot\nContent-Usage: train-ai=n\nDisallow: /z\n\nUser-agent: *\nDisallow:\n",
    )
    hop = Reply(302, (("Location", "/end"), ("Content-Usage", "train-ai=n")))
    sites.add("c42", reply=hop, also=[("/end", html())])
    sites.add("c43", robots_txt="User-agent: *\nContent-Signal: ai-train=yes\nContent-Signal: ai-train=no\n")


def reservations(sites):
    def file(text):
        return [(TDMREP, Reply(200, JSON, text.encode()))]

    one = '{"location": "%s", "tdm-reservation": %s}'
    sites.add("c45-object", files=file(one % ("*", 1)))
    sites.add("c45-text", files=file(f"[{one % ('*', json.dumps('1'))}]"))
    sites.add("c45-true", files=file(f"[{one % ('*', 'true')}]"))
    sites.add("c45-two", files=file(f"[{one % ('*', 2)}]"))
    sites.add("c45-first", files=file(f"[{one % ('/', 0)}, {one % ('/x', 1)}]"))
    sites.add("c46-file", files=file(f"[{one % ('*', 1)}]"), reply=html(headers=(("tdm-reservation", "0"),)))
    zero, reserved = (("tdm-reservation", "0"),), (("tdm-reservation", "1"),)
    sites.add("c46-meta1", reply=html(meta("1", "tdm-reservation"), headers=zero))
    sites.add("c46-meta0", reply=html(meta("0", "tdm-reservation"), headers=reserved))
    sites.add("c46-header", reply=html(headers=reserved))
    noai = meta("noai")
    sites.add("c47-comment", reply=html(f"<!-- {noai} {meta('1', 'tdm-reservation')} -->"))
    sites.add("c47-body", reply=html(body=f"<p>text</p>{noai}"))
    sites.add("c47-noscript", reply=html(f"<noscript>{noai}</noscript>"))
    sites.add("c47-tdm", reply=html(body=f"<p>text</p>{meta('1', 'tdm-reservation')}"))
    app = Reply(200, HTML, b"<!doctype html><title>app</title><div id=root></div>")
    sites.add("c48", files=[(TDMREP, app)])


def directives(sites):
    values = {
        "c50-other": "otherbot: noindex, nofollow",
        "c50-ours": "googlebot: noai, ExampleBot: noindex",
        "c50-expired": "unavailable_after: Sat, 25 Jun 2010 15:00:00 GMT, noindex",
        "c50-preview": "max-image-preview:none",
        "c50-upper": "NOINDEX",
    }
    for name, value in values.items():
        sites.add(name, reply=html(headers=(("X-Robots-Tag", value),)))
    sites.add("c50-two", reply=html(headers=(("X-Robots-Tag", "max-snippet:-1"), ("X-Robots-Tag", "noai"))))
    sites.add("c51-noai", reply=html(meta("noai")))
    sites.add("c51-text", reply=html(meta("noimageai")))
    png = (("Content-Type", "image/png"), ("X-Robots-Tag", "noimageai"))
    sites.add("c51-image", reply=Reply(200, png, b"\x89PNG\r\n\x1a\n"), path="/i")
    pdf = (("Content-Type", "application/pdf"), ("X-Robots-Tag", "noindex"))
    sites.add("c52", reply=Reply(200, pdf, b"%PDF-1.7"), path="/d")


def site_files(sites):
    def ai(text, kind=TEXT):
        return [("/ai.txt", Reply(200, kind, text.encode()))]

    sites.add("c53", files=ai("User-agent: *\nDisallow: *.jpg\n"), path="/a.jpg", also=[("/a", html())])
    sites.add(
        "c54-markdown", files=ai("# About us\n\nWe are glad to help.\n\n- Training: disallow\n- Contact: x\n")
    )
    sites.add("c54-html", files=ai("<html><body>Disallow: /</body></html>", HTML))
    sites.add(
        "c55-twice",
        files=[("/trust.txt", Reply(200, TEXT, b"datatrainingallowed=yes\ndatatrainingallowed=no\n"))],
    )
    sites.add("c55-upper", files=[("/trust.txt", Reply(200, TEXT, b"datatrainingallowed=NO\n"))])
    challenge = (("WWW-Authenticate", 'License error="invalid_request"'),)
    sites.add("c62", reply=Reply(401, (*HTML, *challenge), b"licence needed"))


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    with Web() as web:
        sites = Sites(web, Project(tmp_path_factory.mktemp("cases")))
        for add in (preferences, reservations, directives, site_files):
            add(sites)
        yield sites.run()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    with Web() as web:
        sites = Sites(web, Project(tmp_path_factory.mktemp("archive")))
        signal = "User-agent: *\nContent-Signal: {}\n"
        sites.add("c44-reference", robots_txt=signal.format("use=reference"))
        sites.add("c44-full", robots_txt=signal.format("use=full"))
        sites.add("c38-0", robots_txt="User-agent: *\nContent-Usage: train-ai=?0\n")
        sites.add(
            "c45-object", files=[(TDMREP, Reply(200, JSON, b'{"location": "*", "tdm-reservation": 1}'))]
        )
        yield sites.run(
            purposes=["archive"],
            signals="\n[signals]\ndeny_malformed_preferences = true\ndeny_malformed_reservations = true\n",
        )


def test_case_37_a_longer_path_may_be_asked_for_and_identical_paths_refuse(training):
    assert training.outcomes("c37", "c37/y", "c37-same") == {
        "c37": "kept",
        "c37/y": "not asked: usage_preference",
        "c37-same": "not asked: usage_preference",
    }


def test_case_38_a_malformed_preference_is_unknown_and_logged(training):
    for number in range(5):
        assert training.outcome(f"c38-{number}") == "kept"
        assert "malformed-reservation" in training.said(f"c38-{number}")


def test_case_38_a_policy_may_refuse_where_a_preference_is_malformed(archive):
    assert archive.outcome("c38-0") == "not asked: usage_preference"


def test_case_39_a_word_of_another_vocabulary_is_logged_and_neither_refuses_nor_grants(training):
    assert training.outcomes("c39-usage", "c39-signal") == {"c39-usage": "kept", "c39-signal": "kept"}
    assert "ai-train" in training.said("c39-usage")
    assert "train-ai" in training.said("c39-signal")
    assert training.outcome("c39-grant") == "not asked: usage_preference"


def test_case_40_two_headers_are_one_statement_and_of_two_places_the_refusal_holds(training):
    assert training.outcomes("c40-two", "c40-places", "c40-header") == {
        "c40-two": "dropped: usage_preference",
        "c40-places": "not asked: usage_preference",
        "c40-header": "dropped: usage_preference",
    }


def test_case_41_a_preference_in_another_bots_group_is_not_ours(training):
    assert training.outcome("c41") == "kept"


def test_case_42_a_preference_on_a_redirect_says_nothing_of_what_it_leads_to(training):
    assert training.asked("c42")
    assert training.outcome("c42/end") == "kept"


def test_case_43_contradictory_signals_are_a_no(training):
    assert training.outcome("c43") == "not asked: content_signal"


def test_case_44_reference_is_not_enough_for_an_archive(archive):
    assert archive.outcomes("c44-reference", "c44-full") == {
        "c44-reference": "not asked: content_signal",
        "c44-full": "kept",
    }


def test_case_45_what_is_no_reservation_is_unset_and_logged_and_the_first_match_wins(training):
    assert training.outcomes("c45-object", "c45-text", "c45-true", "c45-two", "c45-first") == {
        "c45-object": "kept",
        "c45-text": "not asked: tdm_reservation",
        "c45-true": "kept",
        "c45-two": "kept",
        "c45-first": "kept",
    }
    for name in ("c45-object", "c45-true", "c45-two"):
        assert "tdm" in training.said(name)


def test_case_45_a_policy_may_refuse_where_a_reservation_is_malformed(archive):
    assert archive.outcome("c45-object") == "not asked: tdm_reservation"


def test_case_46_the_more_embedded_statement_supersedes_and_a_refusing_file_is_never_passed(training):
    assert training.outcomes("c46-file", "c46-meta1", "c46-meta0", "c46-header") == {
        "c46-file": "not asked: tdm_reservation",
        "c46-meta1": "dropped: tdm_reservation",
        "c46-meta0": "kept",
        "c46-header": "dropped: tdm_reservation",
    }


def test_case_47_a_misplaced_restriction_counts_and_one_in_a_comment_never(training):
    assert training.outcomes("c47-comment", "c47-body", "c47-noscript", "c47-tdm") == {
        "c47-comment": "kept",
        "c47-body": "dropped: noai",
        "c47-noscript": "dropped: noai",
        "c47-tdm": "dropped: tdm_reservation",
    }
    for name in ("c47-body", "c47-noscript", "c47-tdm"):
        assert any(word in training.said(name) for word in ("misplaced", "outside the head"))


def test_case_48_an_application_in_place_of_tdmrep_json_is_absence(training):
    assert training.outcome("c48") == "kept"


def test_case_50_header_directives_count_for_whom_they_name(training):
    names = ("c50-other", "c50-ours", "c50-expired", "c50-preview", "c50-upper", "c50-two")
    assert training.outcomes(*names) == {
        "c50-other": "kept",
        "c50-ours": "dropped: x_robots_tag",
        "c50-expired": "dropped: x_robots_tag",
        "c50-preview": "kept",
        "c50-upper": "dropped: x_robots_tag",
        "c50-two": "dropped: noai",
    }


def test_case_51_noai_in_the_page_drops_it_and_noimageai_drops_images_alone(training):
    assert training.outcomes("c51-noai", "c51-text", "c51-image") == {
        "c51-noai": "dropped: noai",
        "c51-text": "kept",
        "c51-image": "dropped: noai",
    }


def test_case_52_a_pdf_is_restricted_by_its_header(training):
    assert training.outcome("c52") == "dropped: x_robots_tag"


def test_case_53_ai_txt_keeps_us_from_images_and_from_nothing_else(training):
    assert training.outcomes("c53", "c53/a") == {"c53": "not asked: ai_txt", "c53/a": "kept"}


def test_case_54_an_ai_txt_of_another_format_says_nothing(training):
    assert training.outcomes("c54-markdown", "c54-html") == {"c54-markdown": "kept", "c54-html": "kept"}


def test_case_55_a_no_in_trust_txt_counts_in_any_case_and_among_contradictions(training):
    assert training.outcomes("c55-twice", "c55-upper") == {
        "c55-twice": "not asked: trust_txt",
        "c55-upper": "not asked: trust_txt",
    }


def test_case_62_a_demand_for_a_licence_is_a_refusal_that_says_so_and_is_not_asked_again(training):
    assert training.outcome("c62") == "dropped: http_401"
    assert "icen" in training.said("c62")
    assert training.web.paths("c62.localhost").count("/x") == 1
    assert not [one for one in training.web.received if "authorization" in one.headers]


def test_case_70_the_evidence_keeps_the_version_that_was_used_when_signals_change_on_the_way(web, project):
    old, new = "User-agent: *\nDisallow: /never\n", "User-agent: *\nDisallow: /\n"
    web.site("a.localhost", old)

    def change(_):
        web.add("a.localhost", "/robots.txt", robots(new))
        return page()

    web.add("a.localhost", "/x", change)
    url = web.url("a.localhost", "/x")
    crawl = project.crawl(url)
    assert crawl.kept() == [url]
    (asked,) = crawl.of(stage="request", kind="page", url=url)
    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        basis = decode_basis(reader.document(asked.basis_sha256).body)
        (used,) = [one.evidence[0] for one in basis.verdicts if one.rule == "robots"]
        assert reader.document(used.sha256).body.decode() == old
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = project.sekisho("explain", "--log", "sqlite:///log.db", "--at", now, "--brief", url)
    assert "the replay says the same" in said.stdout, said.stdout + said.stderr
    again = project.crawl(url)
    assert again.reason(url) == "robots_disallow"
    assert web.paths().count("/x") == 1
