"""What is shipped for running Sekisho asks only for what exists: metrics, files, folders, users, versions."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crawler.config import SETTINGS
from crawler.extensions.metrics import Metric

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
ALERTS = (DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "sekisho.json").read_text(encoding="utf-8"))


def load_script(name):
    spec = importlib.util.spec_from_file_location(f"deploy_{name}", DEPLOY / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


healthcheck, verify_log = load_script("healthcheck"), load_script("verify_log")
EXPORTED = {metric.value: set(metric.labels) for metric in Metric} | {verify_log.METRIC: set()}


def expressions():
    """Yield (where, PromQL) of every panel and variable of the dashboard and of every alert."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        yield variable["name"], variable["definition"]
    yield "alerts", "\n".join(line for line in ALERTS.splitlines() if not line.lstrip().startswith("#"))


def service(name):
    """Return the block of one service, up to the next name of the same depth."""
    return re.search(rf"^  {name}:\n((?:    .*\n|\n|  #.*\n)*)", COMPOSE, re.MULTILINE).group(1)


SERVICES = re.findall(r"^  ([a-z]+):$", COMPOSE.split("\nsecrets:")[0], re.MULTILINE)


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_dashboard_and_alerts_ask_only_for_metrics_and_labels_that_are_exported(where, expression):
    assert re.search(r"sekisho_", expression), where
    for name, selector in re.findall(r"\b(sekisho_[a-z_]+)(?:\{([^}]*)\})?", expression):
        assert name in EXPORTED, f"{where}: {name}"
        assert set(re.findall(r"(\w+)=", selector)) <= EXPORTED[name], f"{where}: {name}"
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        known = set().union(*EXPORTED.values())
        assert set(re.findall(r"\w+", labels)) <= known, where


def test_the_dashboard_shows_every_metric_or_an_alert_waits_for_it():
    asked = set(re.findall(r"sekisho_[a-z_]+", " ".join(expression for _, expression in expressions())))
    # Bytes, cache and last append are there for whoever asks; nobody needs to look at them every day.
    spare = {Metric.LOG_BYTES, Metric.ROBOTS_CACHE, Metric.LOG_LAST_APPEND}
    assert set(EXPORTED) - asked == spare


def test_panels_have_numbers_of_their_own_a_sentence_and_a_place_of_their_own():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"].endswith(".") for panel in panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboard_names_the_data_source_that_is_provisioned():
    provisioned = (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text(encoding="utf-8")
    (uid,) = re.findall(r"^\s+uid: (\w+)", provisioned, re.MULTILINE)
    used = set(re.findall(r'"uid": "(\w+)"', json.dumps([DASHBOARD["panels"], DASHBOARD["templating"]])))
    assert used == {uid}


def test_the_parts_that_were_asked_for_are_there():
    assert set(SERVICES) == {"crawler", "verifier", "textfile", "prometheus", "grafana", "postgresql"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_pinned_image_a_health_check_and_no_way_to_more_rights(name):
    block = service(name)
    image = re.search(r"^    image: (\S+)$", block, re.MULTILINE).group(1)
    assert image == "sekisho:local" or re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-\w+)?", image)
    assert "no-new-privileges:true" in block
    assert "privileged:" not in block
    # The crawler's own check stands in the Containerfile.
    assert "healthcheck:" in block or name == "crawler"
    assert name == "postgresql" or "cap_drop:\n      - ALL" in block


def test_ports_are_published_on_this_machine_only():
    published = re.findall(r'^      - "([\d.]*:?\d+:\d+)"$', COMPOSE, re.MULTILINE)
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_file_that_compose_mounts_or_builds_from_exists():
    mounted = re.findall(r"^      - (\./\S+?):", COMPOSE, re.MULTILINE)
    assert len(mounted) >= 4
    assert [path for path in mounted if not (DEPLOY / path).exists()] == []
    assert (DEPLOY / ".." / re.search(r"dockerfile: (\S+)", COMPOSE).group(1)).exists()
    volumes = set(re.findall(r"^  ([a-z]+):$", COMPOSE.split("\nvolumes:")[1], re.MULTILINE))
    assert set(re.findall(r"^      - ([a-z]+):/(?!/)", COMPOSE, re.MULTILINE)) == volumes


def test_no_password_stands_in_a_file():
    assert re.findall(r"(?i)password\w*:\s*(?!/run/secrets/|$|environment)(\S+)", COMPOSE) == []


def test_postgresql_waits_in_a_profile_because_nothing_uses_it_yet():
    assert "profiles:\n      - postgresql" in service("postgresql")
    assert "postgresql" not in service("crawler")


def test_prometheus_asks_services_and_ports_that_exist():
    targets = re.findall(
        r"^          - (\w+):(\d+)$",
        (DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(targets) == 2
    for name, port in targets:
        assert f'expose:\n      - "{port}"' in service(name)
    assert "EXPOSE 9410" in CONTAINERFILE
    assert healthcheck.USUAL.endswith(":9410/metrics")


def test_settings_that_are_passed_exist():
    passed = set(re.findall(r"(SEKISHO_METRICS_\w+|SEKISHO_LOG)=", COMPOSE + CONTAINERFILE))
    assert passed
    assert passed <= set(SETTINGS)


def test_the_image_runs_without_root_from_pinned_sources():
    lines = [line for line in CONTAINERFILE.splitlines() if line and not line.startswith("#")]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users)
    after = lines[lines.index(f"USER {users[0]}") :]
    assert not any(line.startswith(("RUN ", "COPY ")) for line in after)
    for line in lines:
        assert not line.startswith("ADD "), "ADD can fetch and unpack: COPY cannot"
        assert not re.search(r"curl|wget|https?://", line)
        if line.startswith("FROM "):
            assert re.fullmatch(r"FROM python:3\.\d+\.\d+-slim-\w+( AS \w+)?", line)
    assert any(line.startswith("HEALTHCHECK ") for line in lines)


def test_everything_that_the_image_copies_exists_and_passes_the_ignore_file():
    ignore = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignore
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert {"blocklists", "policies", "crawler", "exporters", "deploy"} <= set(copied)
    assert [source for source in copied if f"!{source}" not in ignore] == []
    tracked = [source for source in copied if source != "README.md"]
    assert [source for source in tracked if not (ROOT / source).exists()] == []


def test_alerts_fire_when_they_must_and_only_then():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    for command in (
        ["check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")],
        ["test", "rules", str(Path(__file__).with_name("alerts.test.yml"))],
    ):
        result = subprocess.run([promtool, *command], check=False, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_says_what_to_do_and_has_a_test():
    names = re.findall(r"- alert: (\w+)", ALERTS)
    assert len(names) == len(set(names)) == 7
    assert (
        ALERTS.count("summary: ") == ALERTS.count("description: ") == ALERTS.count("severity: ") == len(names)
    )
    tested = Path(__file__).with_name("alerts.test.yml").read_text(encoding="utf-8")
    assert set(names) == set(re.findall(r"alertname: (\w+)", tested))


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda path: path.name)
def test_yaml_keeps_to_spaces_in_steps_of_two(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        assert "\t" not in line, f"{path}:{number}"
        assert line == line.rstrip(), f"{path}:{number}"
        assert (len(line) - len(line.lstrip(" "))) % 2 == 0, f"{path}:{number}"


@pytest.mark.parametrize(
    ("metrics", "well"),
    [
        ("sekisho_log_write_errors_total 0.0\n", True),
        ("# HELP x y\nsekisho_log_write_errors_total 0\nother 1\n", True),
        ("sekisho_log_write_errors_total 1.0\n", False),
        ('sekisho_log_write_errors_total{run="a"} 0\nsekisho_log_write_errors_total{run="b"} 2\n', False),
        ("another_total 0\n", False),
        ("", False),
    ],
)
def test_a_crawl_is_healthy_only_when_it_says_that_its_log_is(metrics, well):
    assert (healthcheck.check_health(metrics) == "") is well


def test_the_health_check_asks_the_endpoint_and_says_what_is_wrong(monkeypatch, capsys):
    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"sekisho_log_write_errors_total 0.0\n")

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        monkeypatch.setenv("SEKISHO_HEALTH_URL", f"http://127.0.0.1:{server.server_address[1]}/metrics")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert healthcheck.main() == 0
        server.shutdown()
        thread.join()
    assert healthcheck.main() == 1
    assert "refused" in capsys.readouterr().err


def fake_sekisho(folder, code):
    """Put a command beside a copy of the interpreter's name that answers with a code."""
    command = folder / "sekisho"
    command.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    command.chmod(0o755)
    return folder / "python"


@pytest.mark.parametrize("code", [0, 4, 5])
def test_only_a_verification_that_went_well_is_told_to_prometheus(code, tmp_path, monkeypatch):
    textfile = tmp_path / "verified.prom"
    textfile.write_text("before\n", encoding="utf-8")
    monkeypatch.setattr(verify_log.sys, "executable", str(fake_sekisho(tmp_path, code)))
    before = time.time()
    assert verify_log.verify_once("sqlite:///x.db", textfile) == code
    text = textfile.read_text(encoding="utf-8")
    if code:
        assert text == "before\n"
    else:
        assert float(text.splitlines()[-1].split()[1]) >= before - 0.001
        assert sorted(path.name for path in tmp_path.iterdir()) == ["sekisho", "verified.prom"]


def test_a_log_that_was_tampered_with_ends_the_repetition(tmp_path, monkeypatch):
    monkeypatch.setattr(verify_log.sys, "executable", str(fake_sekisho(tmp_path, verify_log.TAMPERED)))
    monkeypatch.setattr(
        verify_log.sys,
        "argv",
        ["verify_log", "--log", "sqlite:///x.db", "--textfile", "x.prom", "--every", "1"],
    )
    assert verify_log.main() == verify_log.TAMPERED


def test_a_missing_command_is_one_line_and_not_a_traceback(tmp_path):
    command = [
        sys.executable,
        str(DEPLOY / "verify_log.py"),
        "--log",
        "sqlite:///x.db",
        "--textfile",
        "x.prom",
    ]
    code = f"import sys, runpy; sys.executable = {str(tmp_path / 'python')!r}; sys.argv = {command[1:]!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=20
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
