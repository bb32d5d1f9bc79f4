"""A disk that is full at whichever write: one line, nothing left behind, and no other noise."""

from __future__ import annotations

import errno
import gc
import itertools

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.package.folder import HashedFile


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("encoding", ["parquet", "jsonl"])
def test_a_disk_that_is_full_at_whichever_write_is_one_line_and_nothing_is_left(
    packages, encoding, tmp_path, monkeypatch, capsys
):
    target = tmp_path / "out" / "package"
    target.parent.mkdir()
    words = [
        "log",
        "export",
        "--log",
        packages.log.url,
        "--package",
        str(target),
        "--format",
        encoding,
        "--no-record",
    ]
    real = HashedFile.write
    for nth in itertools.chain(range(14), itertools.count(14, 13)):
        left = iter(range(nth))

        def write(file, data, left=left):
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(file, data)

        with monkeypatch.context() as patch:
            patch.setattr(HashedFile, "write", write)
            code = main([*words])
        gc.collect()
        err = capsys.readouterr().err
        if code == 0:
            break
        assert code == ExitCode.REFUSED, err
        assert err.count("\n") == 1, err
        assert "No space left on device; nothing is left behind" in err
        assert list(target.parent.iterdir()) == []
    assert nth > 10
    assert target.exists()
