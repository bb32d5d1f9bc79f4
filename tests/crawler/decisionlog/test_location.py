"""The log is found in the same order everywhere: option, environment, project, default."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crawler.decisionlog.errors import LogError
from crawler.decisionlog.location import log_url


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("SEKISHO_LOG", "SCRAPY_SETTINGS_MODULE", "SCRAPY_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return folder


def project(folder, settings, *, package="shop"):
    (folder / "scrapy.cfg").write_text(f"[settings]\ndefault = {package}.settings\nother = {package}.other\n")
    (folder / package).mkdir()
    (folder / package / "__init__.py").touch()
    (folder / package / "settings.py").write_text(settings)
    (folder / package / "other.py").write_text('SEKISHO_LOG = "sqlite:///other.db"\n')


def test_the_order_is_option_environment_project_default(elsewhere, monkeypatch):
    assert log_url(None) == "sqlite:///sekisho.db"
    project(elsewhere, 'SEKISHO_LOG = "sqlite:///project.db"\n')
    assert log_url(None) == "sqlite:///project.db"
    monkeypatch.setenv("SEKISHO_LOG", "sqlite:///environment.db")
    assert log_url(None) == "sqlite:///environment.db"
    assert log_url("sqlite:///option.db") == "sqlite:///option.db"


def test_the_project_is_found_from_a_folder_inside_it(elsewhere, monkeypatch):
    project(elsewhere, 'SEKISHO_LOG = "sqlite:///project.db"\n')
    monkeypatch.chdir(elsewhere / "shop")
    assert log_url(None) == "sqlite:///project.db"


def test_scrapys_own_variables_choose_the_settings(elsewhere, monkeypatch):
    project(elsewhere, "")
    monkeypatch.setenv("SCRAPY_PROJECT", "other")
    assert log_url(None) == "sqlite:///other.db"
    monkeypatch.delenv("SCRAPY_PROJECT")
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "shop.other")
    assert log_url(None) == "sqlite:///other.db"


def test_a_project_without_the_setting_has_the_default(elsewhere):
    project(elsewhere, "import scrapy_that_does_not_exist\nBOT_NAME = 'x'\n")
    assert log_url(None) == "sqlite:///sekisho.db"


def test_a_plain_setting_is_read_without_running_the_settings(elsewhere):
    project(elsewhere, 'raise SystemExit("ran")\nSEKISHO_LOG = "sqlite:///plain.db"\n', package="quiet")
    assert log_url(None) == "sqlite:///plain.db"


def test_a_computed_setting_is_computed(elsewhere):
    project(elsewhere, 'SEKISHO_LOG = "sqlite:///" + "computed.db"\n', package="counting")
    assert log_url(None) == "sqlite:///computed.db"


@pytest.mark.parametrize(
    "settings", ["SEKISHO_LOG = (", "SEKISHO_LOG = 1 / 0\n", "\0"], ids=["syntax", "failing", "nul"]
)
def test_settings_that_cannot_be_read_say_which_and_what_to_do(elsewhere, settings):
    project(elsewhere, settings, package="broken")
    with pytest.raises(LogError, match=r"broken/settings.py .*--log"):
        log_url(None)


def test_a_broken_scrapy_cfg_says_so(elsewhere):
    (elsewhere / "scrapy.cfg").write_text("not a section\n")
    with pytest.raises(LogError, match=r"scrapy.cfg cannot be read.*--log"):
        log_url(None)


def test_reading_a_log_never_imports_scrapy(elsewhere):
    project(elsewhere, "import scrapy\nSEKISHO_LOG = 'sqlite:///x.db'\n")
    code = (
        "import sys, crawler.decisionlog.command\n"
        "from crawler.decisionlog.location import log_url\n"
        "assert log_url(None) == 'sqlite:///x.db'\n"
        "assert not {'scrapy', 'twisted'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=elsewhere)
