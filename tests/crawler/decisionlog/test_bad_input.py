"""What people name by mistake: one readable line that says what to do, the documented exit code, nothing half done."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog import anchors, store
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.location import custody_of
from crawler.decisionlog.place import log_place
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.registry_state import KnownCheckpoint
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.verify import verify_log

ACTOR = ("--actor", "tests")


def refused(capsys, *words, code=ExitCode.REFUSED):
    """Run a command that must fail with one line on standard error, and return that line."""
    assert main([*words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("sekisho: ")
    assert captured.err.count("\n") == 1, captured.err
    assert "unexpected" not in captured.err
    return captured.err


# the log itself


def test_a_log_named_by_a_link_is_the_same_log_with_the_same_key_and_last_checkpoint(log):
    log.write()
    folder = log.path.parent / "elsewhere"
    folder.mkdir()
    link = folder / "link.db"
    link.symlink_to(log.path)
    assert log_place(f"sqlite:///{link}") == log_place(log.url) == log.path
    assert custody_of(f"sqlite:///{link}") == custody_of(log.url)
    living = log.open(run_id="living")
    try:
        other = type(log)(folder)
        other.url = f"sqlite:///{link}"
        other.clock = log.clock
        other.write(run_id="by-link")
        with log.reader() as reader:
            states = {info.run: info.sealed for info in reader.segments()}
        assert states == {"run-1": True, "living": False, "by-link": True}, "who writes is seen to live"
    finally:
        assert living.close(seal=True) is not None
    assert {path.name for path in folder.iterdir()} == {"link.db"}
    with log.reader() as reader:
        assert verify_log(reader).findings == ()


def test_a_link_that_leads_nowhere_is_where_a_new_log_is_made(log, tmp_path):
    log.path.symlink_to(tmp_path / "real.db")
    log.write()
    assert (tmp_path / "real.db.key").exists()
    assert not (tmp_path / "sekisho.db.key").exists()


@pytest.mark.parametrize("command", ["verify", "show", "head", "export"])
def test_a_name_that_is_too_long_is_refused(log, command, capsys):
    line = refused(capsys, "log", command, "--log", f"sqlite:///{log.path.parent}/{'x' * 300}.db")
    assert "cannot be reached: File name too long" in line
    with pytest.raises(LogError, match="name another file with SEKISHO_LOG"):
        type(log).open(_named(log, "x" * 300))


def _named(log, name):
    log.url = f"sqlite:///{log.path.parent / name}"
    return log


def test_a_folder_that_may_not_be_searched_is_refused_for_reading_and_for_writing(log, monkeypatch, capsys):
    def denied(self, **_):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(
        LogError, match=r"cannot be reached: Permission denied; let this user into its folders"
    ):
        log.open()
    assert "cannot be reached: Permission denied" in refused(capsys, "log", "verify", "--log", log.url)


def test_a_name_with_control_characters_is_shown_with_escapes_and_on_one_line(log, capsys):
    line = refused(capsys, "log", "verify", "--log", f"sqlite:///{log.path.parent}/a\nb\x1b[31m.db")
    assert r"a\nb\x1b[31m.db" in line


def test_a_log_to_which_nothing_was_written_is_not_called_an_old_one(log, capsys):
    store.open_for_writing(log.path).close()
    for words in (("head",), ("anchor", "--witness", "http://127.0.0.1:9/", "x")):
        line = refused(capsys, "log", *words, "--log", log.url)
        assert "nothing was ever written to it" in line


def test_an_empty_log_is_not_said_to_be_whole_since_everything_may_have_been_removed(log, tmp_path):
    log.write()
    kept = KnownCheckpoint.read("kept", Path(f"{log.path}.checkpoint").read_bytes())
    for path in (log.path, Path(f"{log.path}.checkpoint")):
        path.unlink()
    store.open_for_writing(log.path).close()
    with log.reader() as reader:
        report = verify_log(reader)
        assert (report.exit_code, report.findings) == (ExitCode.UNVERIFIABLE, ())
        assert verify_log(reader, known=[kept]).exit_code is ExitCode.TAMPERED


@pytest.mark.parametrize("cut", [0, 31, 32, 5_000, 20_000])
def test_a_truncated_write_ahead_log_is_found_as_far_as_the_last_checkpoint_and_never_written(
    log, cut, monkeypatch
):
    monkeypatch.setattr("crawler.decisionlog.store_sqlite.wal_is_safe", lambda _: True)
    log.write()
    writer = log.open(run_id="run-2")
    copy = log.path.parent / "copy"
    copy.mkdir()
    for suffix in ("", "-wal", ".key", ".checkpoint"):
        shutil.copy(f"{log.path}{suffix}", copy / f"{log.path.name}{suffix}")
    writer.close(seal=True)
    os.truncate(copy / f"{log.path.name}-wal", cut)
    cut_off = type(log)(copy)
    with pytest.raises(LogError, match="rolled back") as caught:
        cut_off.open()
    assert caught.value.exit_code is ExitCode.TAMPERED
    with cut_off.reader() as reader:
        assert verify_log(reader).exit_code is ExitCode.TAMPERED


# files beside it


@pytest.mark.parametrize("option", ["--known-checkpoint", "--tsa-roots", "--key"])
@pytest.mark.parametrize("name", ["absent", "folder", "empty", "/dev/zero"])
def test_a_file_that_holds_something_else_is_usage(log, option, name, capsys):
    log.write()
    (log.path.parent / "folder").mkdir()
    (log.path.parent / "empty").touch()
    line = refused(
        capsys, "log", "verify", "--log", log.url, option, str(log.path.parent / name), code=ExitCode.USAGE
    )
    assert "Errno" not in line
    assert name in line


@pytest.mark.parametrize("suffix", [".key", ".checkpoint"])
def test_a_pipe_in_place_of_a_key_or_checkpoint_is_refused_and_not_waited_for(log, suffix):
    log.write()
    path = Path(f"{log.path}{suffix}")
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(LogError, match="it is a pipe or a device, and no file"):
        log.open()
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(LogError, match="it is a pipe or a device, and no file"):
        log.open()


def test_a_proof_that_cannot_be_written_whole_leaves_no_file(log, capsys, monkeypatch):
    segment = log.write().segment
    out = log.path.parent / "record.proof"
    words = ("log", "prove", f"{segment}#3", "--log", log.url, "--out", str(out))
    real = Path.open

    def full(self, *given, **named):
        file = real(self, *given, **named)
        if self == out:
            file.flush = lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
        return file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        assert "No space left on device" in refused(capsys, *words, code=ExitCode.USAGE)
    assert not out.exists()
    assert main([*words]) == 0


def test_a_package_that_could_not_be_put_on_the_record_is_said_to_be_there(log, capsys, monkeypatch):
    log.write()
    target = log.path.parent / "package"

    def unwritable(*_, **__):
        raise LogError("cannot open the log: it cannot be written")

    monkeypatch.setattr("crawler.decisionlog.command_export.record_export", unwritable)
    assert main(["log", "export", "--log", log.url, "--package", str(target)]) == ExitCode.REFUSED
    first, second = capsys.readouterr().err.splitlines()
    assert "is whole, but not on the record of the log: remove it" in first
    assert "cannot be written" in second


# an authority that is none


class Nonsense:
    """Answers each connection with the same octets, and then closes it, or does not."""

    def __init__(self, octets, *, drip=0):
        self._octets, self._drip = octets, drip
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def _serve(self):
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(self._octets)
                    while self._drip and not self._end.wait(self._drip):
                        connection.sendall(b"x")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n"
BAD = b"HTTP/1.1 500 Sorry\r\n"


@pytest.mark.parametrize(
    ("octets", "drip"),
    [
        (b"", 0), (b"\x1b[31mnonsense\r\n\r\n", 0), (OK + b"Content-Length: 100\r\n\r\nabc", 0),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", 0), (BAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", 0),
        (BAD + b"Content-Length: 100\r\n\r\nabc", 0), (OK + b"\r\n" + b"x" * 70_000, 0), (BAD + b"\r\n" + b"x" * 70_000, 0),
        (OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n", 0), (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n\r\n", 0),
        (OK.replace(b"application/timestamp-reply", b"text/html") + b"\r\n<html>\x1b[31m", 0),
        (OK + b"Content-Length: 100\r\n\r\nabc", 60), (BAD + b"Content-Length: 100\r\n\r\nabc", 60), (b"", 60),
        (OK + b"Content-Length: 60000\r\n\r\n", 0.02), (BAD + b"Content-Length: 60000\r\n\r\n", 0.02),
    ],
)  # fmt: skip
def test_whatever_an_authority_answers_it_is_asked_again_later(log, octets, drip, capsys, monkeypatch):
    """Closed at once, broken off, endless, an error with a broken body, silence, an octet at a time."""
    from crawler.decisionlog import command_anchor

    log.write()
    monkeypatch.setattr(command_anchor, "load_roots", lambda _: [])
    monkeypatch.setattr(anchors, "_TIMEOUT_S", 0.3)
    with Nonsense(octets, drip=drip) as authority:
        line = refused(
            capsys, "log", "anchor", "--log", log.url, "--tsa", authority.url, "--tsa-roots", "roots.pem",
            code=ExitCode.TRY_LATER,
        )  # fmt: skip
        assert authority.url in line
    assert "\x1b" not in line
    assert log.raw().execute("SELECT count(*) FROM anchor").fetchone() == (0,)
    log.write(run_id="run-2")


@pytest.mark.parametrize("url", ["http://[::1", "file:///etc/passwd", "tsa.example"])
def test_what_is_no_address_of_an_authority_is_usage(log, url, capsys, monkeypatch):
    from crawler.decisionlog import command_anchor

    log.write()
    monkeypatch.setattr(command_anchor, "load_roots", lambda _: [])
    words = ("log", "anchor", "--log", log.url, "--tsa", url, "--tsa-roots", "roots.pem")
    assert "is no http or https address" in refused(capsys, *words, code=ExitCode.USAGE)


# interrupts


def test_an_interrupt_in_mid_statement_undoes_the_act_and_is_no_other_error(log):
    log.write()
    before = log.raw().execute("SELECT count(*) FROM registry").fetchone()

    def interrupted():
        with Actor(log.url) as actor, actor.signed(2 * 10**15) as act:
            act.connection.invalidate()  # what SQLAlchemy does with one that is interrupted
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert log.raw().execute("SELECT count(*) FROM registry").fetchone() == before
    log.write(run_id="run-2")
    with LogReader.open(log.url) as reader:
        assert verify_log(reader).findings == ()


@pytest.mark.parametrize("closed", [1, 2])
def test_a_command_works_without_standard_output_or_error(log, closed):
    log.write()
    code = (
        f"import os, sys; os.close({closed});"
        f" os.execv({sys.executable!r}, [{sys.executable!r}, '-m', 'crawler.cli', 'log', 'verify', '--log', {log.url!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


ACTS = {
    "rotate": ("log", "key", "rotate", "--new-key-file", "{folder}/new.key", "--why", "test"),
    "erase": ("log", "erase", "http://a.example/page/1", "--basis", "request", *ACTOR, "--yes"),
    "hold": ("hold", "add", "--scope", "all", "--reason", "r", "--authority", "a", *ACTOR, "--name", "H"),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("moment", ["store.begin", "store.commit", "custody.CheckpointFile.publish"])
def test_an_act_that_is_interrupted_is_done_or_not_and_can_be_done_again(
    log, act, moment, monkeypatch, capsys
):
    log.write()
    words = [word.format(folder=log.path.parent) for word in (*ACTS[act], "--log", log.url)]

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"crawler.decisionlog.{moment}", interrupt)
        assert main([*words]) == 130
    with log.reader() as reader:
        assert verify_log(reader).findings == ()
    done = moment.endswith("publish")
    if done and act == "rotate":
        assert "this log is signed with" in refused(capsys, *words), (
            "it is done: the old key signs nothing more"
        )
        monkeypatch.setenv("SEKISHO_LOG_KEY_FILE", str(log.path.parent / "new.key"))
    elif done:
        capsys.readouterr()
        assert main([*words]) == ExitCode.USAGE, "there is nothing left to do"
        assert {"erase": "no record", "hold": "there is a hold"}[act] in capsys.readouterr().err
    else:
        assert main([*words]) == 0
        if act == "rotate":
            monkeypatch.setenv("SEKISHO_LOG_KEY_FILE", str(log.path.parent / "new.key"))
    log.write(run_id="after")
    with log.reader() as reader:
        assert verify_log(reader).findings == ()
