"""Every extra installs what its own tests and programs import: each alone, in a virtual environment with nothing else."""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUTSIDE = ("fuzz", "integration/test_trackers.py", "endpoint/test_real_server.py")  # they ask for other extras, or skip
OURS = {file.stem for folder in ("tests", "benchmarks") for file in (ROOT / folder).rglob("*.py")} | {"support"}


def imported(files: Iterator[Path]) -> set[str]:
    """The modules of other makers that these files import, by their full dotted names."""
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {name for name in names if name.partition(".")[0] not in OURS | sys.stdlib_module_names}


def of_tests() -> set[str]:
    tests = ROOT / "tests"
    return imported(file for file in tests.rglob("*.py") if not file.relative_to(tests).as_posix().startswith(OUTSIDE))


EXTRAS = {
    "8bit": {"bitsandbytes"},
    "gym": {"reasoning_gym"},
    "lora": {"peft"},
    "ray": {"ray", "ray.cluster_utils"},
    "verifiers": {"langdetect", "immutabledict", "nltk"},
    "mlflow": {"readbench.views.trackers.recorders.mlflow", "mlflow", "sqlalchemy", "alembic"},
    "tensorboard": {"readbench.views.trackers.recorders.tensorboard", "tensorboard.backend.event_processing.event_accumulator"},
    "trackio": {"readbench.views.trackers.recorders.trackio", "trackio"},
    "wandb": {"readbench.views.trackers.recorders.wandb", "wandb"},
    "test": of_tests() | {"pytest", "xdist", "setuptools.build_meta"},  # the last builds the example package
    "fuzz": {"atheris", *imported(ROOT / "tests" / "fuzz" / f"{name}.py" for name in ("run", "targets", "edits", "readers", "sound"))},
    "docs": {"mkdocs", "material"},
    "dev": imported((ROOT / "benchmarks").glob("*.py"))
    | {"codespell_lib", "fastapi", "mypy", "openai", "pre_commit", "pybind11", "ruff", "scikit_build_core", "uvicorn"},
}


def test_every_extra_is_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"].keys() == EXTRAS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_an_extra_alone_installs_what_its_tests_import(extra: str, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "-c", "constraints.txt", f".[{extra}]"]
    subprocess.run(install, cwd=ROOT, check=True)
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    done = subprocess.run([python, "-c", code, *sorted(EXTRAS[extra])], cwd=tmp_path, capture_output=True, text=True, check=False)
    shutil.rmtree(tmp_path / "venv")  # more than a gigabyte
    assert done.returncode == 0, done.stderr
