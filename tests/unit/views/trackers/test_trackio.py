"""trackio for real: what it kept on this machine is read back with its own storage."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trackio")

# In a process of its own: trackio reads TRACKIO_DIR once, when it is imported, and prints.
TELL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from support.story import Story
from readbench.views.trackers.recorders.trackio import TrackioRecorder
Story(Path(sys.argv[2])).tell("trackio", TrackioRecorder)
"""
READ = """
import json, trackio
from trackio.sqlite_storage import SQLiteStorage
runs = {run.name: run for run in trackio.Api().runs("tiny")}
keys = ("step", "profile/math", "utility")
logs = {name: [[log.get(key) for key in keys] for log in SQLiteStorage.get_logs("tiny", name)] for name in runs}
print(json.dumps({name: {"logs": logs[name], "config": run.config} for name, run in runs.items()}))
"""


def test_a_resumed_run_is_one_run_in_trackios_store(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "TRACKIO_DIR": str(tmp_path / "trackio"), "HF_HUB_OFFLINE": "1"}

    def python(code: str, *arguments: str) -> str:
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    python(TELL, str(Path(__file__).parents[3]), str(tmp_path / "a-run"))
    key = json.loads((tmp_path / "a-run" / "trackers" / "trackio.json").read_text())["key"]
    found = json.loads(python(READ))
    assert sorted(found) == [f"a-run-read-s0-{key}", f"a-run-uniform-s0-{key}"]
    read = found[f"a-run-read-s0-{key}"]
    assert read["logs"] == [[1000, 0.25, None], [2000, 0.5, None], [2000, None, 0.75]]
    assert (read["config"]["allocator"], read["config"]["budget_tokens"]) == ("read", 2000)
