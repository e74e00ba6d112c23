"""The journal: torn lines, damage, a full disk, two writers, and kill -9."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from trading.errors import ConflictError, StoreError
from trading.execution.journal import Journal

WRITER = """
import sys
from pathlib import Path
from trading.execution.journal import Journal
journal = Journal(Path(sys.argv[1]))
number = len(journal.entries)
print(number, flush=True)
while True:
    journal.append({"number": number + i, "text": "x" * 3000} for i in range(3))
    number += 3
    print(number, flush=True)
"""


def entries(*numbers: int) -> list[dict[str, Any]]:
    return [{"number": number, "text": "Füll"} for number in numbers]


def test_what_is_appended_is_there_at_the_next_opening(tmp_path: Path) -> None:
    path = tmp_path / "home" / "orders.jsonl"
    with Journal(path) as journal:
        assert journal.entries == ()
        journal.append(entries(1))
        journal.append(entries(2, 3))
        journal.append([])
    with Journal(path) as journal:
        assert list(journal.entries) == entries(1, 2, 3)
        assert journal.torn_bytes == 0
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 2, 3]


def test_a_torn_last_line_is_cut_off_wherever_it_tears(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.append(entries(1, 2))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path) as journal:
            assert list(journal.entries) == entries(1)
            assert journal.torn_bytes == cut - first
            journal.append(entries(7))
        with Journal(path) as journal:
            assert list(journal.entries) == entries(1, 7)


def test_damage_before_the_end_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.append(entries(1, 2, 3))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"number":2', b'"number":9'))
    with pytest.raises(StoreError, match="damaged in line 2"):
        Journal(path)
    lines = whole.splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with Journal(path) as journal:
        assert list(journal.entries) == entries(1), "a line out of its place does not count"


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(ConflictError, match="held by another session"):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()


def test_a_full_disk_takes_the_write_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.append(entries(1))
        write = os.write

        def half(descriptor: int, data: bytes) -> int:
            write(descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", half)
        with pytest.raises(StoreError, match="No space left on device.*free the disk"):
            journal.append(entries(2))
        monkeypatch.setattr(os, "write", write)
        journal.append(entries(3))
    with Journal(path) as journal:
        assert list(journal.entries) == entries(1, 3)
        assert journal.torn_bytes == 0


def test_after_a_failed_sync_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path / "j") as journal:

        def fail(descriptor: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="could not be brought to the disk"):
            journal.append(entries(1))
        monkeypatch.undo()
        with pytest.raises(StoreError, match="is not written any more"):
            journal.append(entries(2))


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.close()
    journal.close()
    with pytest.raises(StoreError, match="it is closed"):
        journal.append(entries(1))


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        Journal(tmp_path / "file" / "j")


def test_a_number_that_json_does_not_know_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal, pytest.raises(ValueError, match="not JSON compliant"):
        journal.append([{"price": float("nan")}])


def test_kill_at_any_moment_loses_nothing_that_was_promised(tmp_path: Path) -> None:
    path = tmp_path / "j"
    before = 0
    for delay in (0.0, 0.013, 0.05, 0.11):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert int(writer.stdout.readline()) == before
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        promised = [int(line) for line in writer.stdout.read().splitlines()]
        writer.stdout.close()
        with Journal(path) as journal:
            numbers = [entry["number"] for entry in journal.entries]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= max(promised, default=before)
        before = len(numbers)
    assert before > 0
