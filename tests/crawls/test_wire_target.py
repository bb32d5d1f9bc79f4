"""What is judged is what is sent: a URL that the network code would change on its way is not sent at all."""

import pytest
from arrivals import LISTED_SPIDER, undecided
from loopback import page

from policies.vocabulary import Stage

RULES = "User-agent: *\nDisallow: /$\nDisallow: /a$\nDisallow: /b?\nDisallow: /d$\nDisallow: /e$\n"
# As written, none of these is disallowed; without its empty part each is.
WOULD_CHANGE = ["/;", "/a;", "/a;#f", "/b;?q=1"]
WOULD_CHANGE_VERBATIM = [*WOULD_CHANGE, "/?", "/d?", "/e?#x", "?r"]
AS_WRITTEN = ["/f;x", "/g;;", "/h;/i", "/j#x", "/k?;", "/l?a=?", "/m?a;b=", "//n//", "/o/../p", "/%7Eq"]


@pytest.mark.parametrize("verbatim", [False, True])
def test_a_url_that_would_lose_a_part_on_the_wire_is_refused_and_every_other_arrives_as_written(
    web, project, verbatim
):
    changed = WOULD_CHANGE_VERBATIM if verbatim else WOULD_CHANGE
    web.site("a.localhost", RULES)
    web.default = page("x")
    project.append("project_settings.py", "\nSEKISHO_PROGRESS = False\n")
    project.write(
        "spiders/listed.py", LISTED_SPIDER.replace("meta=meta", f"meta={{'verbatim_url': {verbatim}}}")
    )
    project.write(
        "urls.txt", "\n".join(web.url("a.localhost", path) for path in [*changed, *AS_WRITTEN]) + "\n"
    )
    crawl = project.scrapy("crawl", "listed")
    arrived = {path.partition("#")[0] for path in AS_WRITTEN} | {"/robots.txt"}
    assert set(web.paths()) == arrived
    assert undecided(web, web.received, crawl.records) == []
    refused = crawl.of(stage=Stage.REQUEST, verdict="skip")
    assert len(refused) == len(changed)
    assert {one.reason for one in refused} == {"no_permit"}
