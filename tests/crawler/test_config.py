"""Settings, agent and lists of a crawl: what is wrong with them is said with name, value and what would be right."""

import pytest
from loopback import AGENT
from scrapy.settings import Settings

from blocklists.errors import ExitCode, SekishoError
from crawler.addon import MIDDLEWARES, PINNED, _check_pinned, _check_reactor, _install, _load, _pin
from crawler.config import SETTINGS, read_config
from crawler.errors import SetupError

AGENT_FILE = "policies_here/agents/examplebot.toml"


def settings_of(**members):
    return Settings(members)


def test_without_any_setting_every_protection_has_its_default():
    config = read_config(settings_of())
    assert (config.agent, str(config.policies), str(config.blocklists)) == (None, "policies", "lists")
    assert config.log == "sqlite:///sekisho.db"
    assert (config.robots_cache_seconds, config.robots_timeout, config.progress) == (86_400, 30.0, True)


def test_an_empty_setting_is_a_setting_that_was_not_given():
    assert read_config(settings_of(SEKISHO_LOG="", SEKISHO_AGENT="")) == read_config(settings_of())


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SEKISHO_AGNET", "SEKISHO_AGENT"),
        ("SEKISHO_BLOCKLIST", "SEKISHO_BLOCKLISTS"),
        ("SEKISHO_XYZZY", "known are"),
    ],
)
def test_a_misspelt_setting_is_an_error_that_names_the_one_that_was_meant(name, meant):
    with pytest.raises(SetupError, match=f"unknown setting {name}") as raised:
        read_config(settings_of(**{name: "x"}))
    assert meant in str(raised.value)
    assert raised.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize("name", ["SEKISHO_ENABLED", "SEKISHO_OBEY", "SEKISHO_DRY_RUN"])
def test_there_is_no_setting_that_switches_protection_off(name):
    assert name not in SETTINGS
    with pytest.raises(SetupError):
        read_config(settings_of(**{name: False}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEKISHO_ROBOTS_TIMEOUT", "soon"),
        ("SEKISHO_ROBOTS_TIMEOUT", 0),
        ("SEKISHO_ROBOTS_TIMEOUT", -1),
        ("SEKISHO_ROBOTS_TIMEOUT", 601),
        ("SEKISHO_ROBOTS_TIMEOUT", "nan"),
        ("SEKISHO_ROBOTS_TIMEOUT", "inf"),
        ("SEKISHO_ROBOTS_CACHE_SECONDS", 0),
        ("SEKISHO_ROBOTS_CACHE_SECONDS", 86_401),
        ("SEKISHO_ROBOTS_CACHE_SECONDS", "1e99"),
        ("SEKISHO_PROGRESS_SECONDS", 0),
    ],
)
def test_a_number_out_of_its_range_is_an_error_that_names_setting_and_range(name, value):
    with pytest.raises(SetupError, match=name) as raised:
        read_config(settings_of(**{name: value}))
    assert str(value) in str(raised.value)


@pytest.mark.parametrize("value", ["0", "false", "No", "OFF", False])
def test_progress_can_be_silenced_in_any_usual_word(value):
    assert read_config(settings_of(SEKISHO_PROGRESS=value)).progress is False


BROKEN = {
    "no policies folder": (lambda p: p.move("policies_here"), "policies_here"),
    "an agent file that is not TOML": (lambda p: p.write(AGENT_FILE, "token = \n"), "examplebot.toml:1"),
    "an agent without a token": (
        lambda p: p.write(AGENT_FILE, AGENT.replace('token = "ExampleBot"\n', "")),
        "token",
    ),
    "several agents and none chosen": (
        lambda p: p.write("policies_here/agents/other.toml", AGENT.replace("ExampleBot", "OtherBot")),
        "SEKISHO_AGENT",
    ),
    "an agent that is not declared": (lambda p: {"SEKISHO_AGENT": "NobodyBot"}, "NobodyBot"),
    "a lists folder without a list": (
        lambda p: (p.move("lists/test.toml"), p.move("lists/test.txt")),
        "lists",
    ),
    "a list that no manifest names": (lambda p: p.move("lists/test.toml"), "lists"),
    "a list without its file": (lambda p: p.move("lists/test.txt"), "test.txt"),
    "a web page in place of a list": (
        lambda p: p.write("lists/test.txt", "<!doctype html><html>"),
        "test.txt",
    ),
    "a manifest with an unknown key": (
        lambda p: p.write("lists/test.toml", 'id = "t"\ncolour = "red"\n'),
        "colour",
    ),
}


class Folder:
    """A project whose files can be moved away."""

    def __init__(self, project):
        self.project = project
        self.write = project.write

    def move(self, name):
        (self.project.folder / name).rename(self.project.folder / (name.replace("/", "_") + ".away"))


@pytest.mark.parametrize("case", BROKEN)
def test_what_a_crawl_stands_on_is_whole_or_the_crawl_does_not_start(project, case):
    change, words = BROKEN[case]
    given = change(Folder(project))
    settings = settings_of(
        SEKISHO_POLICIES=str(project.folder / "policies_here"),
        SEKISHO_BLOCKLISTS=str(project.folder / "lists"),
        **(given if isinstance(given, dict) else {}),
    )
    with pytest.raises(SekishoError) as raised:
        _load(settings)
    assert words in str(raised.value)
    assert raised.value.exit_code is ExitCode.REFUSED


def test_what_is_pinned_wins_over_the_command_line_and_over_spiders():
    settings = Settings()
    for priority in ("project", "spider", "cmdline"):
        settings.set("DOWNLOADER", "scrapy.core.downloader.Downloader", priority=priority)
        settings.set("HTTPCACHE_ENABLED", True, priority=priority)
        settings.set("DOWNLOADER_MIDDLEWARES", dict.fromkeys(MIDDLEWARES), priority=priority)
    _pin(settings)
    _install(settings)
    _check_pinned(settings)
    assert settings["DOWNLOADER"] == "crawler.door.Downloader"
    assert settings.getbool("HTTPCACHE_ENABLED") is False
    assert {name: settings["DOWNLOADER_MIDDLEWARES"][name] for name in MIDDLEWARES} == MIDDLEWARES
    handlers = settings.getwithbase("DOWNLOAD_HANDLERS")
    assert {scheme for scheme, handler in handlers.items() if handler is not None} == {"http", "https"}


def test_a_priority_above_the_pins_is_an_error_and_not_a_way_round():
    settings = Settings()
    _pin(settings)
    _install(settings)
    settings.set("DOWNLOADER_MIDDLEWARES", {}, priority=PINNED + 1)
    with pytest.raises(SetupError, match="DOWNLOADER_MIDDLEWARES is set in code"):
        _check_pinned(settings)


@pytest.mark.parametrize(
    "reactor", ["twisted.internet.selectreactor.SelectReactor", "twisted.internet.epollreactor.EPollReactor"]
)
def test_a_reactor_that_cannot_wait_for_the_log_is_an_error(reactor):
    with pytest.raises(SetupError, match="TWISTED_REACTOR"):
        _check_reactor(settings_of(TWISTED_REACTOR=reactor))


def test_a_crawl_without_twisted_needs_no_reactor():
    _check_reactor(settings_of(TWISTED_REACTOR="any", TWISTED_REACTOR_ENABLED=False))
