"""A writer that is killed leaves whole objects only, and no lock."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from trading.data.store.folder import FolderStore

WRITER = """
import sys
from pathlib import Path
from trading.data.store.folder import FolderStore
store, n = FolderStore(Path(sys.argv[1])), 0
while True:
    n = (n + 1) % 256
    store.put("big", bytes([n]) * 3_000_000)
    store.put(f"many/{n}", bytes([n]) * 1_000)
"""


def test_a_killed_writer_leaves_whole_objects_and_no_lock(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for delay in (0.05, 0.11, 0.02):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        deadline = time.monotonic() + 60
        while not store.exists("many/2"):
            assert time.monotonic() < deadline, "the writer never wrote"
            time.sleep(0.01)
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        body = store.get("big").body
        assert len(body) == 3_000_000
        assert len(set(body)) == 1
        for key in store.keys("many/"):
            assert len(store.get(key).body) == 1_000
            store.delete(key)
        store.put("after", b"1")
        assert store.get("after").body == b"1"
