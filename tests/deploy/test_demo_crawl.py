"""The demo crawl keeps every promise of `site.toml`, by its log's word and by what the server received."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy" / "demo"
SEKISHO = Path(sys.executable).with_name("sekisho")


def load_serve():
    spec = importlib.util.spec_from_file_location("demo_serve_for_crawl", DEMO / "serve.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


serve = load_serve()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run of what `make crawl` runs, with a text file of metrics; under a proxy that must not matter."""
    out = tmp_path_factory.mktemp("demo")
    command = [
        sys.executable, str(DEMO / "crawl.py"), "--out", str(out), "--",
        "-s", f"SEKISHO_METRICS_TEXTFILE={out / 'crawl.prom'}",
    ]  # fmt: skip
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9"}
    result = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    return out, result


@pytest.fixture(scope="module")
def visits(demo):
    lines = (demo[0] / "access.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def expected(visits):
    """The promised reason of each (host, path)."""
    _, answers = serve.load_answers(0)
    return {place: answer.expect for place, answer in answers.items() if answer.expect}


@pytest.fixture(scope="module")
def decisions(demo):
    """Every exported decision about a page, by (host, path), in order."""
    out, _ = demo
    command = [str(SEKISHO), "log", "export", "--format", "jsonl", "--log", f"sqlite:///{out / 'sekisho.db'}"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    found = defaultdict(list)
    for line in result.stdout.splitlines():
        record = json.loads(line)
        if record.get("host") and record.get("url"):
            path = "/" + record["url"].split("/", 3)[3]
            found[record["host"], path].append(record)
    return found


def test_the_whole_command_succeeds_and_names_what_it_wrote(demo):
    out, result = demo
    assert result.returncode == 0, result.stderr
    written = {
        Path(line).relative_to(out).as_posix()
        for line in result.stdout.splitlines()
        if line.startswith(str(out))
    }
    assert {"sekisho.db", "access.jsonl"} <= written
    assert any(name.startswith("disclosure/") and name.endswith(".html") for name in written)
    assert "forbidden addresses asked for: 0 of" in result.stderr


def test_what_readme_shows_of_it_is_what_it_says(demo):
    _, result = demo
    said = re.sub(r"(:\d+|Run \S+)", "", result.stdout + result.stderr)
    shown = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What one sees")[2].split("```")[1]
    lines = [re.sub(r"(:\d+|Run \S+)", "", line) for line in shown.splitlines() if line.strip(" …")]
    assert len(lines) > 10
    assert [line for line in lines if line not in said] == []


def test_the_server_received_no_forbidden_request_and_every_allowed_one(visits, expected):
    received = {(visit["host"], visit["path"]) for visit in visits}
    forbidden = {place for place, reason in expected.items() if reason in serve.BEFORE_THE_REQUEST}
    assert received & forbidden == set()
    assert set(expected) - forbidden - received == set()


def test_the_listed_host_received_nothing_at_all(visits):
    assert [visit for visit in visits if visit["host"] == "manga-raw.localhost"] == []


def test_every_request_carries_the_declared_agent_and_is_a_get(visits):
    assert {(visit["method"], "ExampleBot" in visit["user_agent"]) for visit in visits} == {("GET", True)}


def test_every_decision_has_the_reason_that_was_promised(decisions, expected):
    wrong = {}
    for place, reason in expected.items():
        said = {record["reason"] for record in decisions.get(place, ())}
        # What stands behind a refused page is never met; whatever was met must carry the promised reason.
        unmet = not said and reason in serve.BEFORE_THE_REQUEST
        if not unmet and reason not in said:
            wrong[place] = (reason, said)
    assert wrong == {}


def test_every_request_that_the_server_received_has_a_decision_to_fetch_it(visits, decisions):
    unlogged = [
        (visit["host"], visit["path"])
        for visit in visits
        if not any(
            record["stage"] == "request" and record["verdict"] == "fetch"
            for record in decisions.get((visit["host"], visit["path"]), ())
        )
    ]
    assert unlogged == []


def test_the_metrics_of_the_crawl_agree_with_what_the_server_received(demo, visits):
    out, _ = demo
    samples = [
        sample
        for family in text_string_to_metric_families((out / "crawl.prom").read_text(encoding="utf-8"))
        for sample in family.samples
    ]
    fetched = [
        sample.value
        for sample in samples
        if sample.name == "sekisho_decisions_total" and sample.labels["decision"] == "fetched"
    ]
    assert fetched == [len(visits)]
    by_name = {sample.name: sample for sample in samples}
    assert by_name["sekisho_domain_list_entries"].labels == {"list": "demo"}
    assert by_name["sekisho_policy_info"].labels["version"] == "1"
    assert by_name["sekisho_log_records_total"].value > 2 * len(visits)
    assert by_name["sekisho_log_write_errors_total"].value == 0


def test_metrics_that_cannot_be_given_stop_the_crawl_with_one_line_before_anything_is_fetched(tmp_path):
    command = [
        sys.executable, str(DEMO / "crawl.py"), "--out", str(tmp_path), "--", "-s", "SEKISHO_METRICS_PORT=none",
    ]  # fmt: skip
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert result.returncode == 2
    assert "SEKISHO_METRICS_PORT" in result.stderr
    assert "Traceback" not in result.stderr
    assert (tmp_path / "access.jsonl").read_text(encoding="utf-8") == ""


def test_a_real_address_is_not_asked_for_while_the_contact_is_a_placeholder(tmp_path):
    command = [
        sys.executable, str(DEMO / "crawl.py"), "--url", "http://192.0.2.1/", "--out", str(tmp_path), "--",
        "-s", f"SEKISHO_BLOCKLISTS={DEMO / 'blocklists'}", "-s", "DOWNLOAD_TIMEOUT=5",
    ]  # fmt: skip
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert "policy_scope" in result.stderr
    assert "placeholder" in result.stderr
    assert not (tmp_path / "access.jsonl").exists()


def test_asked_to_stop_it_ends_the_crawl_in_order_and_still_checks_the_log(tmp_path):
    command = [
        sys.executable, str(DEMO / "crawl.py"), "--out", str(tmp_path), "--", "-s", "DOWNLOAD_DELAY=3",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    access = tmp_path / "access.jsonl"
    deadline = time.monotonic() + 60
    while not (access.exists() and access.stat().st_size):
        assert time.monotonic() < deadline, "the crawl did not begin"
        time.sleep(0.05)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "sekisho log verify" in said
    assert len(access.read_text(encoding="utf-8").splitlines()) < 75, "it was stopped in the middle"
