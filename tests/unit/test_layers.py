"""The house's rule: an import points down, never up, and never in a circle."""

import ast
import graphlib
from pathlib import Path

import readbench
import readbench_baselines
import readbench_suites
from readbench.environment import READERS

# From the ground up; packages stand for all of their modules.
LAYERS = (
    ("api", "errors", "_core"),
    ("seeds", "metrics", "stopwatch", "commits", "memory", "worlds", "files", "documents", "delimited", "environment", "splits", "stats"),
    ("scores", "transfer"),
    ("plugins", "training", "models", "llama", "merging", "comparison", "consistency", "tidy"),
    ("tasks", "suites", "config", "spec", "trackers", "remote", "trialfile", "store", "responses", "decoding"),
    ("greedy",),
    ("objectives", "students", "teachers", "prompts", "probes", "evaluation", "read"),
    ("setting", "supply", "records"),
    ("running", "lab", "estimate"),
    ("trial",),
    ("workers", "forkserver", "pool", "results", "rundir", "recorded", "runs"),
    ("builtin", "_registry"),
    ("testing", "doctor", "report", "gate"),
    ("notebook",),
    ("cli",),
    ("__main__",),
)
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer} | {"__init__": len(LAYERS)}


def imports(file: Path) -> set[str]:
    """The dotted names that a file imports, anywhere in it; names imported from a package count as its modules."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "readbench" else {node.module}
    return found


def sources(package: object) -> dict[str, Path]:
    root = Path(package.__file__).parent  # type: ignore[attr-defined]
    return {".".join(file.relative_to(root).with_suffix("").parts): file for file in root.rglob("*.py")}


def graph() -> dict[str, set[str]]:
    """Top-level module or package of readbench → those that it imports."""
    edges: dict[str, set[str]] = {}
    for name, file in sources(readbench).items():
        own = name.partition(".")[0]
        targets = {imported.split(".")[1] for imported in imports(file) if imported.startswith("readbench.")}
        edges.setdefault(own, set()).update(targets - {own, "__version__"})
    return edges


def test_every_module_has_its_layer() -> None:
    assert graph().keys() - RANK.keys() == set()


def test_imports_point_down() -> None:
    upward = [f"{module} imports {target}" for module, targets in graph().items() for target in targets if RANK[target] > RANK[module]]
    assert upward == []


def test_there_are_no_circles() -> None:
    graphlib.TopologicalSorter(graph()).prepare()


def test_what_computes_results_imports_nothing_that_only_reads_them() -> None:
    """Else the hash of the computing code would leave out code that computes."""
    assert {module: found for module, targets in graph().items() if module not in READERS and (found := targets & READERS)} == {
        "__init__": {"notebook"},  # the entries: they show what there is
        "__main__": {"cli"},
        "config": {"trackers"},  # their names
        "runs": {"trackers"},  # tells them what happens; nothing flows back
    }


def test_the_contracts_import_nothing_of_readbench() -> None:
    assert graph()["api"] == set()


def test_plug_ins_import_the_contracts_alone_and_readbench_imports_no_plug_in() -> None:
    for package in (readbench_baselines, readbench_suites):
        for file in sources(package).values():
            ours = {imported for imported in imports(file) if imported.startswith("readbench.")}
            assert ours <= {"readbench.api"}, file
    for file in sources(readbench).values():
        assert not {imported for imported in imports(file) if imported.startswith(("readbench_baselines", "readbench_suites"))}, file
