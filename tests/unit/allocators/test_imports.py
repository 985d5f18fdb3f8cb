"""Baselines know the contracts and nothing else of readbench, as anyone's plug-in should."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import readbench_baselines

MODULES = sorted(Path(readbench_baselines.__file__).parent.glob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


@pytest.mark.parametrize("module", MODULES, ids=[module.stem for module in MODULES])
def test_a_baseline_imports_only_the_contracts(module: Path) -> None:
    ours = {name for name in imported(ast.parse(module.read_text(encoding="utf-8"))) if name.partition(".")[0] == "readbench"}
    assert ours <= {"readbench.api"}


def test_finding_the_plug_ins_imports_no_torch_and_no_http_client() -> None:
    code = "import sys; from readbench.base.plugins import registry; registry(); assert not {'torch', 'httpx2'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
