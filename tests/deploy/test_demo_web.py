"""The demo web is what it says: every address answers as `site.toml` writes, and the access log tells all."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from policies.vocabulary import Reason

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "demo"


def load_serve():
    spec = importlib.util.spec_from_file_location("demo_serve", DEMO / "serve.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo_serve"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


serve = load_serve()


@pytest.fixture
def web():
    with serve.DemoWeb() as running:
        yield running


def get(url, method="GET"):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, headers={"Host": parts.netloc, "User-Agent": "Probe/1"})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def test_every_promised_address_answers_and_names_a_known_reason(web):
    promised_status = {
        "kept": 200, "redirect": 302, "login_required": 302, "http_401": 401, "http_402": 402, "http_403": 403,
        "legal_block": 451, "http_error": 404, "paywall_structured_data": 200, "paywall_markup": 200,
    }  # fmt: skip
    assert len(web.expected) > 45
    for url, reason in web.expected.items():
        status, headers, body = get(url)
        assert Reason(reason)
        if reason == "redirect" and "Refresh" not in headers and status == 200:
            assert 'http-equiv="refresh"' in body.lower(), url
        elif reason in promised_status:
            assert (url, status) == (url, promised_status[reason])
        assert ("Location" in headers) == (status == 302)


def test_robots_answers_in_every_way_that_the_demo_shows(web):
    seen = {
        host: get(web.url(host, "/robots.txt")) for host in {urlsplit(url).hostname for url in web.start_urls}
    }
    assert seen["news.localhost"][0] == 200
    assert f"Sitemap: http://news.localhost:{web.port}/sitemap.xml" in seen["news.localhost"][2]
    assert seen["unsteady.localhost"][0] == 503
    assert seen["quiet.localhost"][0] == 404
    assert seen["moved.localhost"][1]["Location"] == web.url("news.localhost", "/robots-shared.txt")
    assert "Crawl-delay: 1000" in seen["slow.localhost"][2]
    assert get(web.url("news.localhost", "/robots-shared.txt"))[1]["Content-Type"].startswith("text/plain")


def test_every_link_leads_to_an_address_that_answers_on_the_port_in_use(web):
    for url in web.expected:
        _, headers, body = get(url)
        if not headers["Content-Type"].startswith("text/html"):
            continue
        for piece in body.split('href="')[1:]:
            link = piece.split('"', 1)[0].replace("&amp;", "&")
            target = link if link.startswith("http") else web.url(urlsplit(url).hostname, link)
            assert target in web.expected, f"{url} links to {target}"


def test_the_block_list_names_exactly_the_listed_host(web):
    manifest = tomllib.loads((DEMO / "blocklists" / "demo.toml").read_text(encoding="utf-8"))
    lines = (DEMO / "blocklists" / manifest["file"]).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == web.listed_hosts
    assert {urlsplit(url).hostname for url, reason in web.expected.items() if reason == "piracy_list"} == set(
        web.listed_hosts
    )


def test_a_visit_is_logged_before_it_is_answered_with_all_that_a_site_owner_sees(tmp_path):
    with serve.DemoWeb(access_log=tmp_path / "deep" / "access.jsonl") as web:
        get(web.url("shop.localhost", "/item/1?sort=price"))
        get(web.url("elsewhere.localhost"))
        lines = (tmp_path / "deep" / "access.jsonl").read_text(encoding="utf-8").splitlines()
    visits = [json.loads(line) for line in lines]
    assert visits[0] | {"ts": ""} == {
        "ts": "", "host": "shop.localhost", "method": "GET", "path": "/item/1?sort=price",
        "user_agent": "Probe/1", "status": 200,
    }  # fmt: skip
    assert visits[0]["ts"].endswith("Z")
    assert visits[1]["status"] == 421
    assert web.received[0] in web.forbidden


def test_a_head_request_carries_the_headers_and_no_body(web):
    status, headers, body = get(web.url("quiet.localhost"), "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 100


def test_the_script_writes_its_ready_file_whole_and_stops_on_a_signal(tmp_path):
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [sys.executable, str(DEMO / "serve.py"), "--port", "0", "--ready-file", str(ready)],
        stdout=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 20
        while not ready.exists():
            assert time.monotonic() < deadline, "the demo web did not say that it is ready"
            time.sleep(0.02)
        told = json.loads(ready.read_text(encoding="utf-8"))
        assert told["start_urls"][0] == f"http://news.localhost:{told['port']}/"
        assert get(told["start_urls"][0])[0] == 200
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_taken_port_is_said_in_one_line(web):
    command = [sys.executable, str(DEMO / "serve.py"), "--port", str(web.port)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert str(web.port) in result.stderr


def test_crawl_refuses_a_folder_that_it_cannot_write_in(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    command = [sys.executable, str(DEMO / "crawl.py"), "--out", str(tmp_path / "file" / "out")]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert result.returncode == 1
    assert "--out" in result.stderr
    assert "Traceback" not in result.stderr
