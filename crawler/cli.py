"""The `sekisho` command: finds a sub-command by name, imports it alone, and turns errors into exit codes.

Sub-commands are entry points of the group `sekisho.commands`; each names a module with
`add_arguments(parser)` and `run(arguments) -> int`, and optionally `HELP` (one line) and `EXAMPLES` (a tuple
of command lines). The list in `sekisho --help` reads those one-liners from the source text, so that help
imports no command and no line is written twice. Must not import Scrapy, nor any command at import.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from blocklists.errors import ExitCode, SekishoError, UsageError
from policies.console import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP = "sekisho.commands"
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
BROKEN_PIPE = 141  # 128 + SIGPIPE
#: Which extra brings which package, for the message when it is missing.
_EXTRAS = {"prometheus_client": "prometheus", "rich": "rich"}
_EXAMPLES = (
    "sekisho explain https://example.org/page   # what would happen to this URL, and why",
    "sekisho check                              # is everything in place for a crawl?",
    "sekisho log verify                         # was the log altered?",
)


class Command(Protocol):
    """What the module of a sub-command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work and return the exit code."""


class _Parser(argparse.ArgumentParser):
    """A parser whose help begins with examples, and which takes no abbreviated options."""

    def __init__(self, *, examples: Sequence[str] = (), **options: Any) -> None:  # noqa: ANN401 - argparse's own
        # argparse makes the parsers of sub-sub-commands by the class of their parent, with its own options.
        options |= {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(**options)
        self.examples = examples
        self.add_argument("--debug", action="store_true", help="show the traceback of an unexpected error")

    def format_help(self) -> str:
        """Return the examples, then argparse's text."""
        lines = "".join(f"  {example}\n" for example in self.examples)
        return (f"Examples:\n{lines}\n" if lines else "") + super().format_help()


def _commands() -> dict[str, str]:
    """Return the installed sub-commands: name to module path."""
    points = importlib.metadata.entry_points(group=GROUP)
    return {point.name: point.value for point in sorted(points, key=lambda point: point.name)}


def _one_liner(module: str) -> str:
    """Return what a command does, read from its source text without importing it."""
    try:
        spec = importlib.util.find_spec(module)
        tree = ast.parse(Path(spec.origin).read_bytes()) if spec and spec.origin else None
    except (ImportError, OSError, SyntaxError, ValueError):
        tree = None
    if tree is None:
        return "(not in this installation)"
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "HELP" for t in node.targets
        ):
            return str(ast.literal_eval(node.value))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _general_help() -> str:
    lines = [f"  {name:<12}{_one_liner(module)}" for name, module in _commands().items()]
    parser = _Parser(
        prog="sekisho", description="Sekisho: a compliant crawler framework on Scrapy.", examples=_EXAMPLES
    )
    parser.usage = "sekisho [--debug] COMMAND [OPTIONS]"
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.epilog = "commands:\n" + "\n".join(lines) + "\n\n`sekisho COMMAND --help` explains one of them."
    return parser.format_help()


def _load(name: str) -> Command:
    """Import one command; UsageError when it does not exist or lacks a package."""
    commands = _commands()
    if name not in commands:
        near = difflib.get_close_matches(name, commands, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(commands)}"
        raise UsageError(f"unknown command {name!a}; {hint}")
    try:
        return cast("Command", importlib.import_module(commands[name]))
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if commands[name] == missing or commands[name].startswith(f"{missing}."):
            raise UsageError(f"the command {name!r} is not part of this installation") from error
        package = missing.partition(".")[0]
        extra = f"sekisho[{_EXTRAS[package]}]" if package in _EXTRAS else package
        raise UsageError(f"the command {name!r} needs: pip install '{extra}'") from error


def _dispatch(name: str, rest: Sequence[str]) -> int:
    module = _load(name)
    description = getattr(module, "HELP", None) or (module.__doc__ or "").partition("\n")[0]
    parser = _Parser(
        prog=f"sekisho {name}", description=description, examples=getattr(module, "EXAMPLES", ())
    )
    module.add_arguments(parser)
    _give_examples(parser, parser.examples)
    return int(module.run(parser.parse_args(rest)))


def _give_examples(parser: argparse.ArgumentParser, examples: Sequence[str]) -> None:
    """Let the help of each sub-sub-command begin with those of the command's examples that are its own."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to a parser's parsers
        for child in action.choices.values() if isinstance(action.choices, dict) else ():
            if isinstance(child, _Parser):
                child.examples = [line for line in examples if f"{line} ".startswith(f"{child.prog} ")]
                _give_examples(child, examples)


def _run(arguments: list[str]) -> int:
    """Read the options before the command's name, then hand over."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        text = _general_help()
        if not arguments:
            sys.stderr.write(text)
            return ExitCode.USAGE
        sys.stdout.write(text)
        return ExitCode.DONE
    if arguments[0] == "--version":
        print(f"sekisho {importlib.metadata.version('sekisho')}")
        return ExitCode.DONE
    if arguments[0].startswith("-"):
        raise UsageError(f"unknown option {arguments[0]!a} before the command; see sekisho --help")
    return _dispatch(arguments[0], arguments[1:])


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain about the pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    """Say it on one line; what a name or a server's answer has of control characters is shown as escapes."""
    sys.stderr.write(f"sekisho: {printable(message)}\n")


def _open_closed_streams() -> None:
    """Give a process that was started without standard output or error somewhere to write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - as long as the process


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of `blocklists.errors.ExitCode`, 130 or 141."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    try:
        # Wherever it stands: who is told to run a command again with it appends it.
        code = _run([word for word in arguments if word != "--debug"])
        sys.stdout.flush()
    except SystemExit as stop:  # argparse: --help is 0, a wrong option is 2
        return stop.code if isinstance(stop.code, int) else ExitCode.FAILED
    except SekishoError as error:
        _complain(str(error))
        return error.exit_code
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: one readable line, never silence
        if "--debug" in arguments:
            traceback.print_exc()
        else:
            _complain(
                f"unexpected {type(error).__name__}: {error} (run again with --debug for the traceback)"
            )
        return ExitCode.FAILED
    return code


if __name__ == "__main__":
    sys.exit(main())
