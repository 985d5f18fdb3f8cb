"""One module writes. Nothing else in readbench opens a file or a database to write it, and nothing unpickles."""

import ast
from collections.abc import Iterator
from pathlib import Path

import readbench
import readbench_baselines
import readbench_suites

WRITER = "base/files.py"
# (file, call): why it may
EXCEPTIONS = {
    ("views/cli/compare.py", "exports.to_csv"): "makes a text",
    ("views/report/pictures/drawing/svg.py", "savefig"): "into memory",
    ("views/console/studies/transfer.py", "savefig"): "into memory",
    ("suites/verifiers/code/_sandboxed.py", "os.open"): "/dev/null",
    ("suites/verifiers/code/_sandboxed.py", "os.write"): "into a pipe",
    ("suites/verifiers/code/sandbox.py", "os.write"): "into a pipe",
    ("suites/verifiers/math/_child.py", "os.open"): "/dev/null",
    ("suites/verifiers/math/_child.py", "os.write"): "into a pipe",
    ("suites/verifiers/code/sandbox.py", "shutil.which"): "looks for a program",
    ("views/doctor.py", "TemporaryDirectory"): "asks whether the working directory can be written to",
    ("runs/studies/lab.py", "TemporaryDirectory"): "an untrained model, thrown away",
    ("runs/studies/lab.py", "save_pretrained"): "builds the models that ship; a model folder outside of any run",
    ("models/language_model.py", "save_pretrained"): "called by files.publish_folder, into its staging folder",
    ("trials/environments/rollouts/served.py", "save_pretrained"): "likewise",
    ("models/loading/adapters.py", "mkdir"): "likewise",
    ("models/loading/adapters.py", "save_file"): "likewise",
    ("models/loading/adapters.py", "save_pretrained"): "likewise",
    ("runs/executors/cluster/task.py", "TemporaryDirectory"): "a node's own folder; what is committed in it goes to the storage",
    ("views/cli/endings.py", "os.open"): "/dev/null",
    ("views/trackers/sink.py", "os.open"): "/dev/null",
    ("views/trackers/recorders/tensorboard.py", "FileWriter"): "a tracker's library",
}
NAMES = {"mkdir", "rmdir", "touch", "unlink", "rename", "write_text", "write_bytes", "symlink_to", "hardlink_to", "chmod"}
NAMES |= {"save_pretrained", "save_file", "to_csv", "to_json", "to_parquet", "FileWriter", "savefig"}
TEMPORARY = {"TemporaryDirectory", "NamedTemporaryFile", "mkstemp", "mkdtemp"}
MODULES = {
    "shutil",
    "sqlite3.connect",
    "os.open",
    "os.replace",
    "os.rename",
    "os.remove",
    "os.unlink",
    "os.mkdir",
    "os.makedirs",
    "os.write",
}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "torch.load", "torch.save"}


def writes(source: str) -> Iterator[str]:
    """The calls in a file that may change the disk."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        name = called.rpartition(".")[2]
        if name in TEMPORARY or (name in NAMES and name != called and not called.startswith("files.")):
            yield called if called.startswith("exports.") else name
        elif called in MODULES or called.split(".")[0] in MODULES:
            yield called
        elif name == "replace" and len(node.args) == 1 and not node.keywords and isinstance(node.func, ast.Attribute):
            yield called  # Path.replace: that of text has two arguments
        elif name == "open" and any(set(str(argument.value)) & set("wax+") for argument in mode(node, called)):
            yield name


def mode(node: ast.Call, called: str) -> list[ast.Constant]:
    """The mode of an `open`: its second argument as a function, its first as a method, or by name."""
    place = 1 if called in ("open", "io.open") else 0
    given = [*node.args[place : place + 1], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    return [argument for argument in given if isinstance(argument, ast.Constant) and isinstance(argument.value, str)]


def files() -> Iterator[tuple[str, str]]:
    for package in (readbench, readbench_baselines, readbench_suites):
        root = Path(package.__file__).parent
        for path in root.rglob("*.py"):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def test_only_the_one_module_writes() -> None:
    found = {(name, call) for name, source in files() if name != WRITER for call in writes(source)}
    assert found - EXCEPTIONS.keys() == set()


def test_the_lint_sees_every_way_to_write() -> None:
    for line in (
        "open('x', 'w')",
        "open('x', mode='ab')",
        "path.open('r+b')",
        "path.write_text('')",
        "sqlite3.connect('x')",
        "os.open('x', os.O_CREAT)",
        "shutil.copy('x', 'y')",
        "path.replace(other)",
        "model.save_pretrained(folder)",
        "folder.mkdir(parents=True)",
    ):
        assert list(writes(line)), line
    for line in ("open('x')", "path.open('rb')", "text.replace('a', 'b')", "replace(config, seed=1)"):
        assert not list(writes(line)), line


def test_every_database_is_opened_by_one_function() -> None:
    callers = [name for name, source in files() if "sqlite3.connect(" in source]
    assert callers == [WRITER]


def test_nothing_is_pickled() -> None:
    for name, source in files():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & PICKLES, name
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in PICKLES, name
            elif isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in PICKLES, name
