"""What an agent file declares to honour is what a crawl does, and what the published disclosure says, claim by claim."""

import json

import pytest
from loopback import AGENT, Project, Web, page, robots

from policies.agents import Honour

OPEN = "User-agent: *\nDisallow:\n"
ALL = ", ".join(f'"{honour.value}"' for honour in Honour)
LIFTED = "\n[signals]\nhonour_denied_robots = false\n"

# Host, its robots.txt, headers of its page, and by which reason the page is refused ("" where it is kept).
SITES = {
    "open": (OPEN, (), ""),
    "usage": (f"{OPEN}Content-Usage: train-ai=n\n", (), "usage_preference"),
    "signal": (f"{OPEN}Content-Signal: ai-train=no\n", (), "content_signal"),
    "mined": (OPEN, (("tdm-reservation", "1"),), "tdm_reservation"),
    "noai": (OPEN, (("X-Robots-Tag", "noai"),), "noai"),
    "refused": (robots("", status=403), (), ""),
    "refused-noai": (robots("", status=401), (("X-Robots-Tag", "noai"),), "noai"),
    "refused-ai-txt": (robots("", status=403), (), "ai_txt"),
    "lost": (robots("", status=500), (), "robots_unreachable"),
}


class Ran:
    def __init__(self, web, project, crawl):
        self.web, self.project, self.crawl = web, project, crawl


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("honours"))
    begin, end = AGENT.index("honours = ["), AGENT.index("]", AGENT.index("honours = [")) + 1
    agent = f"{AGENT[:begin]}honours = [{ALL}]{AGENT[end:]}{LIFTED}"
    project.write("policies_here/agents/examplebot.toml", agent)
    project.append("project_settings.py", "\nRETRY_ENABLED = False\nDOWNLOAD_DELAY = 0.01\n")
    with Web() as web:
        for host, (file, headers, _) in SITES.items():
            web.site(f"{host}.localhost", file, x=page("text", headers=headers))
        web.add("refused-ai-txt.localhost", "/ai.txt", robots("User-Agent: *\nDisallow: /\n"))
        crawl = project.crawl(*(web.url(f"{host}.localhost", "/x") for host in SITES))
        assert crawl.code == 0, crawl.stderr[-3000:]
        yield Ran(web, project, crawl)


@pytest.mark.parametrize("host", SITES)
def test_each_family_refuses_and_a_refused_robots_txt_lifts_none_of_them_where_the_operator_reads_it_as_absent(
    ran, host
):
    url, reason = ran.web.url(f"{host}.localhost", "/x"), SITES[host][2]
    assert (ran.crawl.reason(url) or "") == reason
    assert (url in ran.crawl.kept()) == (not reason)
    before = reason in {"usage_preference", "content_signal", "ai_txt", "robots_unreachable"}
    assert ("/x" in ran.web.paths(f"{host}.localhost")) == (not before)


def test_explain_says_that_the_switch_lets_a_refused_robots_txt_pass(ran):
    url = ran.web.url("refused.localhost", "/x")
    said = ran.project.sekisho("explain", "--offline", "--brief", url)
    assert said.returncode == 0, said.stderr
    assert "honour_denied_robots" in said.stdout


def test_the_disclosure_supports_every_promise_that_the_file_makes_and_this_crawl_could_break(ran):
    out = ran.project.folder / "out"
    built = ran.project.sekisho("disclosure", "build", "--out", str(out))
    assert built.returncode == 0, built.stderr
    (document,) = out.rglob("disclosure.json")
    claims = {claim["id"]: claim["status"] for claim in json.loads(document.read_text())["claims"]}
    assert {honour.value for honour in Honour} <= set(claims)
    assert {name for name in claims if claims[name] == "contradicted"} == set()
    assert {claims[honour.value] for honour in Honour} == {"supported"}
    for language, words in (("en", "Content Signals"), ("ja", "テキスト・データマイニングの権利留保")):
        (text,) = out.rglob(f"disclosure.{language}.md")
        assert words in text.read_text(encoding="utf-8")
