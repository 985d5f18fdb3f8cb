"""The house's rule: an import points down, never up, and never in a circle."""

import ast
import graphlib
from pathlib import Path

import readbench
import readbench_baselines
import readbench_suites
from readbench.base.machine import is_reader

# From the ground up; rooms of one line do not import each other.
FLOORS = (
    ("api", "_core"),
    ("base",),
    ("models",),
    ("suites", "teachers", "students", "allocators"),
    ("trials",),
    ("runs", "results"),
    ("testing", "views"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ENTRIES = {"__init__", "__main__"}  # they show what there is, and call the command line


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


def modules() -> dict[str, set[str]]:
    """Every module of readbench → the modules and packages of readbench that it imports."""
    return {
        f"readbench.{name.removesuffix('.__init__')}": {imported for imported in imports(file) if imported.startswith("readbench.")}
        for name, file in sources(readbench).items()
    }


def test_every_room_has_its_floor() -> None:
    assert graph().keys() - FLOOR.keys() - ENTRIES == set()


def test_imports_point_down_and_never_across() -> None:
    wrong = {
        f"{room} imports {target}"
        for room, targets in graph().items()
        if room in FLOOR
        for target in targets
        if FLOOR[target] >= FLOOR[room]
    }
    assert wrong == set()


def test_modules_import_each_other_in_no_circle() -> None:
    graphlib.TopologicalSorter(modules()).prepare()


def test_what_computes_results_imports_nothing_that_only_reads_them() -> None:
    """Else the hash of the computing code would leave out code that computes."""
    found = {}
    for name, file in sources(readbench).items():
        module = name.replace(".", "/").removesuffix("/__init__")
        readers = {target for target in imports(file) if target.startswith("readbench.") and is_reader("/".join(target.split(".")[1:]))}
        if readers and not is_reader(module) and module not in ENTRIES:
            found[module] = {target.split(".")[2] for target in readers}
    assert found == {}


def test_the_contracts_import_nothing_of_readbench() -> None:
    assert graph()["api"] == set()


def test_plug_ins_import_the_contracts_alone_and_readbench_imports_no_plug_in() -> None:
    for package in (readbench_baselines, readbench_suites):
        for file in sources(package).values():
            ours = {imported for imported in imports(file) if imported.startswith("readbench.")}
            assert ours <= {"readbench.api"}, file
    for file in sources(readbench).values():
        assert not {imported for imported in imports(file) if imported.startswith(("readbench_baselines", "readbench_suites"))}, file


def test_a_reader_can_hold_every_level_and_every_file_in_mind() -> None:
    root = Path(readbench.__file__).parent
    levels: dict[Path, set[str]] = {}
    for file in root.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 300, f"{file} is too long"
        inner = file.relative_to(root)
        for parent in inner.parents:
            levels.setdefault(parent, set()).add(inner.relative_to(parent).parts[0])
    crowded = {
        f"{level}: {len(entries)} entries"
        for level, found in levels.items()
        if level.parts[:2] != ("views", "cli") and len(entries := found - {"__init__.py", "__main__.py", "api", "testing"}) > 10
    }
    assert crowded == set()
