"""Looks for bytes that a parser does not survive: ``python tests/fuzz/run.py suite --seconds 300``.

With atheris (``pip install atheris``) coverage guides the search, without it the corpus is mutated blindly. A find does not end
the run: its first input is written to --finds, its place and error are printed, and once mended it belongs to corpus/<target>/.
"""

import argparse
import random
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the targets, and what the tests share


class Search:
    """Counts executions and keeps the first input of every distinct failure."""

    def __init__(self, target: str, finds: Path) -> None:
        self.target = target
        self.finds = finds
        self.executions = 0
        self.known: set[str] = set()

    def one(self, data: bytes) -> None:
        """Runs the target once."""
        import targets

        self.executions += 1
        try:
            targets.refuses_or_reads(self.target, data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a Rust panic is no Exception, and a find as well
            self._note(error, data)

    def _note(self, error: BaseException, data: bytes) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "readbench" in Path(frame.filename).parts] or frames
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {type(error).__name__}"
        if place not in self.known:
            self.known.add(place)
            self.finds.mkdir(parents=True, exist_ok=True)
            file = self.finds / f"{self.target}-{len(self.known):02}-{place.replace(' ', '-').replace(':', '-')}"
            file.write_bytes(data)
            sys.stdout.write(f"FIND {self.target} {place}: {str(error)[:200]!r} -> {file}\n")
            sys.stdout.flush()


def main() -> None:
    """Fuzzes one target for a while."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--finds", type=Path, default=Path("build/fuzz-finds"))
    parser.add_argument("--blind", action="store_true", help="mutate the corpus without coverage")
    arguments = parser.parse_args()
    search = Search(arguments.target, arguments.finds)
    atheris = None if arguments.blind else _atheris()
    if atheris is None:
        _mutate(search, _seeds(arguments.target), arguments.seconds)
        return
    # an editable install has a loader of its own, which atheris does not see through: take readbench from its folder
    sys.path.insert(0, str(HERE.parents[1] / "harness"))
    sys.meta_path.sort(key=lambda finder: "Redirecting" in type(finder).__name__)
    with atheris.instrument_imports(include=["readbench", "yaml", "targets", "readers", "edits"]):
        import targets

        assert arguments.target in targets.TARGETS
        for data in _seeds(arguments.target):  # the imports that a target makes late are instrumented here
            search.one(data)
    work = arguments.finds / f"{arguments.target}-corpus"
    work.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(_seeds(arguments.target)):
        (work / f"seed-{number}").write_bytes(data)
    limits = [f"-max_total_time={arguments.seconds}", "-max_len=20000", "-rss_limit_mb=4096", "-timeout=60", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(work), *limits], search.one)
    atheris.Fuzz()


def _seeds(target: str) -> list[bytes]:
    from sound import SEEDS

    kept = sorted(path for path in (HERE / "corpus" / target).glob("*") if path.is_file())
    return SEEDS.get(target, []) + [path.read_bytes() for path in kept]


def _atheris():
    try:
        import atheris
    except ImportError:
        return None
    return atheris


def _mutate(search: Search, corpus: list[bytes], seconds: int) -> None:
    rng = random.Random(0)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.randint(1, 8)):
            at = rng.randint(0, len(data))
            piece = rng.choice(corpus)
            start = rng.randint(0, len(piece))
            match rng.randint(0, 3):
                case 0:
                    data[at : at + rng.randint(0, 8)] = rng.randbytes(rng.randint(0, 8))
                case 1:
                    del data[at : at + rng.randint(1, 32)]
                case 2:
                    data[at:at] = piece[start : start + rng.randint(1, 64)]
                case 3 if data:
                    data[at - 1] ^= 1 << rng.randint(0, 7)
        search.one(bytes(data))
    sys.stdout.write(f"{search.target}: {search.executions} executions in {seconds} s, {len(search.known)} finds\n")


if __name__ == "__main__":
    main()
