"""What was kept is there after any crash; a torn end is left out, a damaged middle is not passed over in silence; two
runs never share a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from interpreter.local import journal as module
from interpreter.local.journal import Journal, JournalError, Lock


async def written(folder: Path) -> None:
    journal = Journal(folder)
    await journal.keep("state", {"phase": "Waiting"})
    journal.note("event", [1, "first", "größer"])
    journal.note("event", [2, "second", "line\nbreak"])
    await journal.keep("state", {"phase": "Progressing"})
    journal.close()


async def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    await written(tmp_path)
    journal = Journal(tmp_path)
    assert journal.last("state") == {"phase": "Progressing"}
    assert journal.all("event") == [[1, "first", "größer"], [2, "second", "line\nbreak"]]
    assert journal.last("program") is None
    journal.close()


async def test_every_torn_end_leaves_what_was_whole_before_it(tmp_path: Path) -> None:
    await written(tmp_path)
    data = (tmp_path / "journal").read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    for cut in range(start, len(data)):
        (tmp_path / "journal").write_bytes(data[:cut])
        journal = Journal(tmp_path)
        assert journal.last("state") == {"phase": "Waiting"}
        journal.note("state", {"phase": "Failed"})
        journal.close()
        again = Journal(tmp_path)
        assert again.last("state") == {"phase": "Failed"}
        again.close()


async def test_damage_in_the_middle_is_said_and_where(tmp_path: Path) -> None:
    await written(tmp_path)
    path = tmp_path / "journal"
    path.write_bytes(path.read_bytes().replace(b"second", b"sEcond"))
    with pytest.raises(JournalError, match=r"is damaged at line 3: move it away to begin afresh"):
        Journal(tmp_path)


async def test_a_grown_journal_is_written_anew_with_what_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROWN", 5_000)
    journal = Journal(tmp_path)
    for number in range(150):
        journal.note("event", [number, "x" * 20])
        await journal.keep("state", {"number": number})
    journal.close()
    assert (tmp_path / "journal").stat().st_size < 15_000
    again = Journal(tmp_path)
    assert again.last("state") == {"number": 149}
    assert [row[0] for row in again.all("event")] == list(range(150))
    again.close()


def test_a_second_run_is_told_who_has_the_folder(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from interpreter.local.journal import Lock;"
        "lock = Lock(Path(sys.argv[1])); lock.take(); print('taken', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        with pytest.raises(JournalError, match=rf"another run \(process {holder.pid}\) is using the folder .*--dir"):
            Lock(tmp_path).take()
        holder.kill()
        holder.wait()
        lock = Lock(tmp_path)
        lock.take()
        lock.release()


async def test_who_only_looks_reads_what_is_whole_and_writes_nothing(tmp_path: Path) -> None:
    await written(tmp_path)
    path = tmp_path / "journal"
    torn = path.read_bytes() + b"deadbeef state {"
    path.write_bytes(torn)

    assert module.latest(tmp_path)["state"] == {"phase": "Progressing"}
    assert path.read_bytes() == torn
    with pytest.raises(OSError, match="No such file"):
        module.latest(tmp_path / "elsewhere")
