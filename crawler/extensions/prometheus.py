"""Tells Prometheus how a crawl goes: an endpoint while it runs, a text file when it has ended.

Off unless `SEKISHO_METRICS_PORT` or `SEKISHO_METRICS_TEXTFILE` is set; the endpoint listens on loopback
unless `SEKISHO_METRICS_HOST` says otherwise. Everything is read from Scrapy's stats at the moment of a
scrape, so that counting costs the crawl nothing; each crawler has a registry of its own.
Names follow https://prometheus.io/docs/practices/naming/. No label ever holds a host, a URL or a run:
a crawl meets millions of hosts, and what it did on each is in the log, not in a time series.
Decides nothing; needs the extra `prometheus` only when metrics are asked for.
"""

from __future__ import annotations

import logging
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import scrapy
from scrapy import signals
from scrapy.exceptions import NotConfigured

from blocklists.errors import UsageError
from crawler.errors import SetupError
from crawler.extensions.metrics import Metric, Reading, read_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric as Family
    from scrapy.crawler import Crawler
    from scrapy.settings import BaseSettings

logger = logging.getLogger(__name__)

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
HIGHEST_PORT = 65_535


def metrics_wanted(settings: BaseSettings) -> bool:
    """Whether the settings ask for an endpoint or a text file."""
    return any(
        settings.get(name) not in {None, ""} for name in ("SEKISHO_METRICS_PORT", "SEKISHO_METRICS_TEXTFILE")
    )


def check_metrics_settings(settings: BaseSettings) -> None:
    """Refuse metrics that cannot be given: call it before a crawl starts.

    Raises UsageError (exit 2) when the extra is missing or a setting has no usable value.
    """
    if not metrics_wanted(settings):
        return
    if find_spec("prometheus_client") is None:
        raise UsageError("metrics need: pip install 'sekisho[prometheus]'; or unset SEKISHO_METRICS_*")
    _port(settings)
    _textfile(settings)


def _port(settings: BaseSettings) -> int | None:
    """Return the port to listen on, 0 for any free one, None for no endpoint."""
    given = settings.get("SEKISHO_METRICS_PORT")
    if given in {None, ""}:
        return None
    text = str(given)
    if not (text.isascii() and text.isdigit() and int(text) <= HIGHEST_PORT):
        raise UsageError(
            f"SEKISHO_METRICS_PORT = {given!r}: a port from 0 (any free one) to {HIGHEST_PORT} is needed"
        )
    return int(text)


def _textfile(settings: BaseSettings) -> Path | None:
    """Return the file to write when the crawl ends; its folder exists."""
    given = settings.get("SEKISHO_METRICS_TEXTFILE")
    if given in {None, ""}:
        return None
    path = Path(str(given)).absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"SEKISHO_METRICS_TEXTFILE = {given!r}: a file in an existing folder is needed")
    return path


class StatsCollector:
    """prometheus-client's view of one crawler's stats; asked anew by every scrape."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self.completed_at: float | None = None

    def describe(self) -> list[Family]:
        """Name nothing ahead of the first scrape: the registry is ours alone, so no name can clash."""
        return []

    def collect(self) -> Iterator[Family]:
        """Turn the present readings into families of samples."""
        from prometheus_client.core import (  # noqa: PLC0415 - an optional extra
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        families: dict[Metric, CounterMetricFamily | GaugeMetricFamily] = {}
        for reading in self._readings():
            metric = reading.metric
            if metric not in families:
                families[metric] = kinds[metric.kind](metric.value, metric.help, labels=metric.labels)
            families[metric].add_metric(reading.labels, reading.value)
        yield from families.values()

    def _readings(self) -> list[Reading]:
        return read_metrics(
            # A copy, because the crawl goes on counting while another thread scrapes.
            dict(self._crawler.stats.get_stats()),
            spider=self._crawler.spidercls.name,
            completed_at=self.completed_at,
            versions=(version("sekisho"), scrapy.__version__, platform.python_version()),
        )


class PrometheusExtension:
    """The extension: opens the endpoint with the crawl, writes the text file and closes with it."""

    def __init__(self, crawler: Crawler) -> None:
        """Open the endpoint. SetupError (exit 5) when its address cannot be used."""
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - an optional extra

        self._crawler = crawler
        self._textfile = _textfile(crawler.settings)
        self._collector = StatsCollector(crawler)
        self.registry: CollectorRegistry = CollectorRegistry(auto_describe=False)
        self.registry.register(self._collector)
        self._server: WSGIServer | None = None
        self.port = _port(crawler.settings)
        if self.port is not None:
            self._listen(crawler.settings.get("SEKISHO_METRICS_HOST") or "127.0.0.1", self.port)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> PrometheusExtension:
        """Make the extension when metrics are asked for; UsageError when they cannot be given."""
        if not metrics_wanted(crawler.settings):
            raise NotConfigured  # nothing is protected here, so nothing is lost
        check_metrics_settings(crawler.settings)
        extension = cls(crawler)
        crawler.signals.connect(extension.engine_stopped, signal=signals.engine_stopped)
        return extension

    def _listen(self, host: str, port: int) -> None:
        from prometheus_client import start_http_server  # noqa: PLC0415 - an optional extra

        try:
            self._server, _ = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise SetupError(
                f"the metrics endpoint cannot listen on {host}:{port}: {error.strerror or error};"
                " choose another SEKISHO_METRICS_PORT"
            ) from error
        self.port = self._server.server_port
        logger.info("Metrics at http://%s:%d/metrics", host, self.port)
        if host not in LOOPBACK:
            logger.warning("The metrics endpoint on %s can be read from other machines", host)

    def engine_stopped(self) -> None:
        """Write the last values, after every other component has counted its own, and stop listening."""
        if self._crawler.stats.get_value("finish_reason") == "finished":
            self._collector.completed_at = datetime.now(UTC).timestamp()
        if self._textfile is not None:
            self._write(self._textfile)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _write(self, path: Path) -> None:
        """Put the text file in place whole: readers see the old one or the new one."""
        from prometheus_client import write_to_textfile  # noqa: PLC0415 - an optional extra

        try:
            write_to_textfile(str(path), self.registry)
        except OSError as error:
            # One line is enough: the error says all, and the crawl itself has ended well.
            logger.error("The metrics could not be written to %s: %s", path, error)  # noqa: TRY400
