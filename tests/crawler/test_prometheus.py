"""Metrics: what is counted reaches a real scrape and a text file; nothing else does, and nothing by accident."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families
from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.settings import Settings
from scrapy.statscollectors import MemoryStatsCollector

from blocklists.errors import UsageError
from crawler.errors import SetupError
from crawler.extensions import prometheus
from crawler.extensions.metrics import Metric, read_metrics
from crawler.extensions.prometheus import PrometheusExtension, check_metrics_settings

STATS = {
    "sekisho/agent": "ExampleBot",
    "sekisho/decisions/fetched": 31,
    "sekisho/decisions/skipped": 9,
    "sekisho/skipped_reason_count/robots_disallow": 5,
    "sekisho/skipped_reason_count/paywall_structured_data": 3,
    "sekisho/skipped_reason_count/legal_block": 1,
    "sekisho/failed_reason_count/error_network": 2,
    "sekisho/robots_fetches/rules": 6,
    "sekisho/robots_fetches/unavailable": 1,
    "sekisho/robots_fetches/unreachable": 1,
    "sekisho/domain_list/ut1/manga/entries": 470,
    "sekisho/domain_list/ut1/manga/updated_timestamp": 1_795_219_200,
    "sekisho/domain_list/ut1/manga/refresh/held": 1,
    "sekisho/domain_list/ut1/manga/refresh_failures": 3,
    "sekisho/domain_list/ut1/manga/unknown": 1,
    "sekisho/log/records": 88,
    "sekisho/policy/version": 2,
    "sekisho/policy/sha256": "9f" * 32,
    "downloader/request_count": 40,
}


class Shopper(Spider):
    name = "shopper"


@pytest.fixture
def crawler_with():
    started = []

    def make(stats=STATS, **settings):
        crawler = Crawler(Shopper, Settings(settings))
        crawler.stats = MemoryStatsCollector(crawler)
        crawler.stats.set_stats(dict(stats))
        return crawler

    def start(crawler):
        extension = PrometheusExtension.from_crawler(crawler)
        started.append(extension)
        return extension

    make.start = start
    yield make
    for extension in started:
        extension.engine_stopped()


def scrape(port):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://127.0.0.1:{port}/metrics", timeout=10
    ) as answer:
        return samples(answer.read().decode())


def samples(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def decision(decided, reason):
    labels = {"spider": "shopper", "agent": "ExampleBot", "decision": decided, "reason": reason}
    return ("sekisho_decisions_total", tuple(sorted(labels.items())))


def test_a_scrape_over_loopback_tells_what_the_stats_say_at_that_moment(crawler_with):
    crawler = crawler_with(SEKISHO_METRICS_PORT=0)
    extension = crawler_with.start(crawler)
    found = scrape(extension.port)
    assert found[decision("fetched", "allowed")] == 31
    assert found[decision("skipped", "robots_disallow")] == 5
    assert found[decision("failed", "error_network")] == 2
    assert found["sekisho_robots_fetches_total", (("agent", "ExampleBot"), ("result", "ok"))] == 6
    assert found["sekisho_robots_fetches_total", (("agent", "ExampleBot"), ("result", "absent"))] == 1
    assert found["sekisho_access_restrictions_total", (("kind", "json_ld"),)] == 3
    assert found["sekisho_access_restrictions_total", (("kind", "http_451"),)] == 1
    assert found["sekisho_domain_list_entries", (("list", "ut1/manga"),)] == 470
    assert found["sekisho_domain_list_updated_timestamp_seconds", (("list", "ut1/manga"),)] == 1_795_219_200
    labels = (("list", "ut1/manga"), ("result", "held"))
    assert found["sekisho_domain_list_refresh_result", labels] == 1
    assert found["sekisho_domain_list_refresh_failures", (("list", "ut1/manga"),)] == 3
    assert found["sekisho_log_records_total", ()] == 88
    assert found["sekisho_policy_info", (("sha256_12", "9f9f9f9f9f9f"), ("version", "2"))] == 1
    crawler.stats.inc_value("sekisho/decisions/fetched", 4)
    assert scrape(extension.port)[decision("fetched", "allowed")] == 35


def test_counters_that_alarms_wait_for_are_there_before_anything_happened(crawler_with):
    extension = crawler_with.start(crawler_with(stats={}, SEKISHO_METRICS_PORT=0))
    found = scrape(extension.port)
    assert found["sekisho_log_write_errors_total", ()] == 0
    assert found["sekisho_log_records_total", ()] == 0
    assert any(name == "sekisho_build_info" for name, _ in found)


def test_what_nobody_measured_has_no_sample():
    readings = read_metrics({}, spider="shopper", completed_at=None, versions=("1", "2", "3"))
    assert {reading.metric for reading in readings} == {
        Metric.DECISIONS, Metric.LOG_RECORDS, Metric.LOG_ERRORS, Metric.TRIPWIRE, Metric.BUILD
    }  # fmt: skip


def test_no_label_can_hold_a_host_a_url_or_a_run():
    hostile = {**STATS, "sekisho/run_id": "run-1", "downloader/slot/https://example.com": 3}
    readings = read_metrics(hostile, spider="shopper", completed_at=1.0, versions=("1", "2", "3"))
    words = {label for reading in readings for label in reading.labels}
    assert not any("run-1" in word or "example.com" in word for word in words)
    assert {label for metric in Metric for label in metric.labels} <= {
        "spider", "agent", "decision", "reason", "result", "kind", "list", "version", "sha256_12",
        "scrapy_version", "python_version",
    }  # fmt: skip


@pytest.mark.parametrize("metric", Metric)
def test_every_metric_has_a_name_that_says_its_kind_and_a_sentence_of_help(metric):
    assert metric.value.startswith("sekisho_")
    assert (metric.kind == "counter") == metric.value.endswith("_total")
    assert metric.help.endswith(".")
    if "timestamp" in metric.value:
        assert metric.value.endswith("_timestamp_seconds")


def test_two_crawls_in_one_process_do_not_count_for_each_other(crawler_with):
    first = crawler_with.start(crawler_with(stats={"sekisho/log/records": 1}, SEKISHO_METRICS_PORT=0))
    second = crawler_with.start(crawler_with(stats={"sekisho/log/records": 2}, SEKISHO_METRICS_PORT=0))
    assert scrape(first.port)["sekisho_log_records_total", ()] == 1
    assert scrape(second.port)["sekisho_log_records_total", ()] == 2


def test_the_text_file_holds_the_last_values_and_the_completion_of_a_finished_crawl(crawler_with, tmp_path):
    path = tmp_path / "sekisho.prom"
    path.write_text("old\n", encoding="utf-8")
    crawler = crawler_with(SEKISHO_METRICS_TEXTFILE=str(path))
    extension = crawler_with.start(crawler)
    before = datetime.now(UTC).timestamp()
    crawler.stats.set_value("finish_reason", "finished")
    assert path.read_text(encoding="utf-8") == "old\n"
    extension.engine_stopped()
    found = samples(path.read_text(encoding="utf-8"))
    assert found[decision("fetched", "allowed")] == 31
    assert found["sekisho_run_last_completed_timestamp_seconds", (("spider", "shopper"),)] >= before
    assert [entry.name for entry in tmp_path.iterdir()] == ["sekisho.prom"], (
        "nothing half-written stays behind"
    )


def test_a_crawl_that_was_stopped_did_not_complete(crawler_with, tmp_path):
    path = tmp_path / "sekisho.prom"
    crawler = crawler_with(SEKISHO_METRICS_TEXTFILE=str(path))
    extension = crawler_with.start(crawler)
    crawler.stats.set_value("finish_reason", "sekisho_log_unwritable")
    extension.engine_stopped()
    assert "sekisho_run_last_completed" not in path.read_text(encoding="utf-8")


def test_a_folder_that_vanishes_costs_the_metrics_and_not_the_crawl(crawler_with, tmp_path, caplog):
    folder = tmp_path / "gone"
    folder.mkdir()
    extension = crawler_with.start(crawler_with(SEKISHO_METRICS_TEXTFILE=str(folder / "sekisho.prom")))
    folder.rmdir()
    with caplog.at_level(logging.ERROR):
        extension.engine_stopped()
    assert "could not be written" in caplog.text


def test_the_endpoint_is_closed_when_the_engine_stops(crawler_with):
    extension = crawler_with.start(crawler_with(SEKISHO_METRICS_PORT=0))
    extension.engine_stopped()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", extension.port), timeout=5)


def test_without_being_asked_nothing_listens(crawler_with):
    with pytest.raises(NotConfigured):
        PrometheusExtension.from_crawler(crawler_with())
    with pytest.raises(NotConfigured):
        PrometheusExtension.from_crawler(
            crawler_with(SEKISHO_METRICS_PORT="", SEKISHO_METRICS_HOST="0.0.0.0")
        )


@pytest.mark.parametrize("port", ["x", "-1", "65536", "８０", 1.5, "80 "])
def test_a_port_that_is_none_is_refused_by_name(port, crawler_with):
    with pytest.raises(UsageError, match="SEKISHO_METRICS_PORT"):
        check_metrics_settings(crawler_with(SEKISHO_METRICS_PORT=port).settings)


def test_a_text_file_without_a_folder_is_refused_before_the_crawl(crawler_with, tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "sekisho.prom"):
        with pytest.raises(UsageError, match="SEKISHO_METRICS_TEXTFILE"):
            check_metrics_settings(crawler_with(SEKISHO_METRICS_TEXTFILE=str(path)).settings)


def test_a_taken_port_is_refused_with_address_and_advice(crawler_with):
    first = crawler_with.start(crawler_with(SEKISHO_METRICS_PORT=0))
    with pytest.raises(SetupError, match=f"127.0.0.1:{first.port}.*SEKISHO_METRICS_PORT"):
        PrometheusExtension.from_crawler(crawler_with(SEKISHO_METRICS_PORT=first.port))


def test_a_missing_extra_is_a_usage_error_only_when_metrics_are_wanted(crawler_with, monkeypatch):
    monkeypatch.setattr(prometheus, "find_spec", lambda name: None)
    check_metrics_settings(crawler_with().settings)
    with pytest.raises(UsageError, match=r"pip install 'sekisho\[prometheus\]'") as refusal:
        check_metrics_settings(crawler_with(SEKISHO_METRICS_PORT=0).settings)
    assert refusal.value.exit_code == 2


def test_importing_the_extension_does_not_need_the_extra():
    code = "import sys, crawler.extensions.prometheus; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


CRAWL = """
import json, sys, urllib.request
import scrapy
from scrapy.crawler import AsyncCrawlerProcess

class Probe(scrapy.Spider):
    name = "probe"
    async def start(self):
        self.crawler.stats.inc_value("sekisho/decisions/fetched", 7)
        for extension in self.crawler.extensions.middlewares:
            if type(extension).__name__ == "PrometheusExtension":
                import asyncio
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                address = f"http://127.0.0.1:{extension.port}/metrics"
                print((await asyncio.to_thread(opener.open, address)).read().decode())
        return
        yield

process = AsyncCrawlerProcess(json.loads(sys.argv[1]))
process.crawl(Probe)
process.start()
"""


def test_in_a_real_crawl_the_endpoint_answers_and_the_text_file_is_written(tmp_path):
    settings = {
        "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False, "REMOTE_CONTROL_ENABLED": False,
        "EXTENSIONS": {"crawler.extensions.prometheus.PrometheusExtension": 2},
        "SEKISHO_METRICS_PORT": 0, "SEKISHO_METRICS_TEXTFILE": str(tmp_path / "crawl.prom"),
    }  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", CRAWL, json.dumps(settings)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    live, last = samples(result.stdout), samples((tmp_path / "crawl.prom").read_text(encoding="utf-8"))
    for found in (live, last):
        assert [value for (name, _), value in found.items() if name == "sekisho_decisions_total"] == [7]
    completed = "sekisho_run_last_completed_timestamp_seconds"
    assert completed not in {name for name, _ in live}
    assert completed in {name for name, _ in last}
