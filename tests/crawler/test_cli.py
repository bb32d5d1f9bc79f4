"""The `sekisho` command: exit codes, one readable line, and nothing imported without need."""

from __future__ import annotations

import importlib.metadata
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

from blocklists.errors import ExitCode, SekishoError
from crawler import cli

SEKISHO = [str(Path(sys.executable).with_name("sekisho"))]


def sekisho(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SEKISHO, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


def command(monkeypatch, run, **members) -> None:
    """Install a sub-command `probe` that does `run`."""
    module = types.ModuleType("probe", "Probe what the dispatcher does.")
    module.add_arguments = lambda parser: parser.add_argument("--number", type=int)
    module.run = run
    for name, value in members.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "probe", module)
    monkeypatch.setattr(cli, "_commands", lambda: {"probe": "probe", "absent": "crawler.no_such_module"})


def raising(error: BaseException):
    def run(_arguments):
        raise error

    return run


def test_help_begins_with_examples_and_names_every_command():
    done = sekisho("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Examples:\n  sekisho ")
    for point in importlib.metadata.entry_points(group="sekisho.commands"):
        assert f"\n  {point.name} " in done.stdout


def test_help_shows_the_line_that_the_command_itself_declares():
    from crawler.commands import check

    assert check.HELP in sekisho("--help").stdout


def test_without_a_command_the_help_goes_to_standard_error():
    done = sekisho()
    assert (done.returncode, done.stdout) == (2, "")
    assert "commands:" in done.stderr


def test_the_version_is_that_of_the_package():
    assert sekisho("--version").stdout == f"sekisho {importlib.metadata.version('sekisho')}\n"


def test_an_unknown_command_is_usage_with_a_hint():
    done = sekisho("chek")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "sekisho: unknown command 'chek'; did you mean 'check'?\n"


@pytest.mark.parametrize(
    "arguments", [("check", "--nonsense"), ("check", "--format", "xml"), ("--nonsense",), ("notice",)]
)
def test_a_wrong_option_is_usage(arguments):
    assert sekisho(*arguments).returncode == 2


def test_options_are_not_abbreviated():
    assert sekisho("check", "--stri").returncode == 2


def test_a_refusal_is_one_line_with_its_exit_code(monkeypatch, capsys):
    class RefusalError(SekishoError):
        exit_code = ExitCode.TAMPERED

    command(monkeypatch, raising(RefusalError("record 7 was changed; restore the copy")))
    assert cli.main(["probe"]) == 4
    assert capsys.readouterr() == ("", "sekisho: record 7 was changed; restore the copy\n")


def test_an_unexpected_error_is_one_line_and_exit_1(monkeypatch, capsys):
    command(monkeypatch, raising(KeyError("gone")))
    assert cli.main(["probe"]) == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "unexpected KeyError: 'gone'" in text


@pytest.mark.parametrize("arguments", [["--debug", "probe"], ["probe", "--debug"]])
def test_the_traceback_is_shown_for_the_asking(monkeypatch, capsys, arguments):
    command(monkeypatch, raising(KeyError("gone")))
    assert cli.main(arguments) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_130(monkeypatch):
    command(monkeypatch, raising(KeyboardInterrupt()))
    assert cli.main(["probe"]) == 130


def test_the_exit_code_of_a_command_is_passed_on(monkeypatch):
    command(monkeypatch, lambda arguments: arguments.number)
    assert cli.main(["probe", "--number", "3"]) == 3


def test_the_help_of_a_command_begins_with_its_examples(monkeypatch, capsys):
    command(monkeypatch, lambda _arguments: 0, EXAMPLES=("sekisho probe --number 3",))
    assert cli.main(["probe", "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Examples:\n  sekisho probe --number 3\n")
    assert "Probe what the dispatcher does." in text


def test_a_command_of_another_installation_is_named(monkeypatch, capsys):
    command(monkeypatch, lambda _arguments: 0)
    assert cli.main(["absent"]) == 2
    assert "not part of this installation" in capsys.readouterr().err


def test_a_missing_package_names_its_extra(monkeypatch, capsys):
    command(monkeypatch, raising(ModuleNotFoundError("no rich", name="rich")))
    monkeypatch.setattr(
        cli.importlib, "import_module", raising(ModuleNotFoundError("no rich", name="rich.table"))
    )
    assert cli.main(["probe"]) == 2
    assert "pip install 'sekisho[rich]'" in capsys.readouterr().err


def test_a_closed_pipe_is_quiet():
    script = (
        "import time\ntime.sleep(.2)\nfrom crawler import cli\nimport sys\nsys.exit(cli.main(['--help']))"
    )
    shell = f'{sys.executable} -c "{script}" | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def modules_after(arguments: list[str], cwd: Path) -> set[str]:
    script = cwd / "probe.py"
    script.write_text(
        "import sys\nfrom crawler.cli import main\n"
        f"main({arguments!r})\n"
        "sys.stderr.write('MODULES ' + ' '.join(sorted(sys.modules)))"
    )
    work = cwd / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False, cwd=work
    )
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["check"], ["check", "--init"], ["log", "--help"], ["notice", "--help"]]
)
def test_no_command_imports_scrapy_without_need(arguments, tmp_path):
    loaded = modules_after(arguments, tmp_path)
    assert "crawler.cli" in loaded
    assert not {"scrapy", "twisted"} & loaded


def test_help_imports_no_command(tmp_path):
    loaded = modules_after(["--help"], tmp_path)
    assert "sqlalchemy" not in loaded
    assert not {name for name in loaded if name.startswith("crawler.commands.") or name.endswith(".command")}


def test_only_the_called_command_is_imported(tmp_path):
    loaded = modules_after(["check", "--help"], tmp_path)
    assert "crawler.commands.check" in loaded
    assert not {name for name in loaded if name.startswith("exporters.") and name.endswith(".command")}


@pytest.mark.parametrize(
    "words",
    [
        ("retention", "plan"), ("retention", "apply"), ("retention", "list"), ("hold", "add"), ("hold", "list"),
        ("hold", "release"), ("log", "verify"), ("log", "key"), ("log", "key", "show"), ("log", "key", "rotate"),
    ],
)  # fmt: skip
def test_the_help_of_an_action_begins_with_its_own_examples(words, capsys):
    assert cli.main([*words, "--help"]) == 0
    first, example, *_ = capsys.readouterr().out.splitlines()
    assert first == "Examples:"
    assert example.startswith(f"  sekisho {' '.join(words)}")


def test_debug_may_stand_at_the_end_as_people_append_it(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["log", "show", "--debug"]) == ExitCode.REFUSED
    assert "there is no log" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", sorted(point.name for point in importlib.metadata.entry_points(group=cli.GROUP))
)
def test_every_example_in_a_help_is_a_command_line_that_is_understood(name):
    module = cli._load(name)
    parser = cli._Parser(prog=f"sekisho {name}")
    module.add_arguments(parser)
    assert module.EXAMPLES
    for example in module.EXAMPLES:
        line = example.partition(" > ")[0].rpartition(" | ")[2]
        first, command, *words = shlex.split(line, comments=True)
        assert (first, command) == ("sekisho", name), example
        try:
            parser.parse_args([word for word in words if word != "--debug"])
        except SystemExit:
            pytest.fail(example)
