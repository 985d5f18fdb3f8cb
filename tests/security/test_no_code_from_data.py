"""Nothing that is read is ever run: no pickle, no unsafe YAML, no eval, no shell, in any of the packages."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(file for folder in ("harness", "baselines", "suites") for file in (ROOT / folder).rglob("*.py"))
IN_THE_SANDBOX = ROOT / "harness/readbench/suites/verifiers/code/_sandboxed.py"  # runs a model's program, there only
MODULES = {"cloudpickle", "cPickle", "dill", "joblib", "marshal", "pickle", "pickletools", "shelve", "jsonpickle", "xmlrpc"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"os.system", "os.popen", "os.execv", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "torch.load", "np.load", "numpy.load"}


def offences(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"imports {name}" for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name in BUILTINS | CALLS:
                yield f"calls {name}"
            if keywords.get("shell", "False") != "False":
                yield f"calls {name} with a shell"
            if keywords.get("trust_remote_code", "False") != "False":
                yield f"calls {name} with trust_remote_code"
            if keywords.get("allow_pickle", "False") != "False":
                yield f"calls {name} with allow_pickle"
            if name.endswith("from_pretrained") and "trust_remote_code" not in keywords:
                yield f"calls {name} without saying trust_remote_code=False"
            if name == "yaml.load" and keywords.get("Loader", "") != "_UniqueKeyLoader":
                yield "calls yaml.load with a loader that is not ours"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_runs_what_it_reads(file: Path) -> None:
    allowed = {"calls exec", "calls compile"} if file == IN_THE_SANDBOX else set()
    assert set(offences(file.read_text(encoding="utf-8"))) == allowed


def test_what_runs_in_the_sandbox_is_imported_nowhere() -> None:
    naming = [file.name for file in SOURCES if IN_THE_SANDBOX.stem in file.read_text(encoding="utf-8")]
    assert naming == ["sandbox.py"]
    assert not any(f"import {IN_THE_SANDBOX.stem}" in file.read_text(encoding="utf-8") for file in SOURCES)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from dill import loads",
        "eval('1')",
        "import yaml; yaml.load(text, Loader=yaml.Loader)",
        "import torch; torch.load(path)",
        "import subprocess; subprocess.run(text, shell=True)",
        "AutoModel.from_pretrained(path)",
        "AutoModel.from_pretrained(path, trust_remote_code=config.trust)",
        "np.load(path, allow_pickle=True)",
    ],
)
def test_the_ban_sees_what_it_bans(source: str) -> None:
    assert list(offences(source)) != []


def test_the_linter_bans_it_as_well(tmp_path: Path) -> None:
    """Ruff's S rules are on for the packages, so that an editor says it before a test does."""
    file = tmp_path / "stranger.py"
    file.write_text("import pickle\nimport yaml\n\npickle.loads(b'')\nyaml.load('', Loader=yaml.Loader)\neval('1')\n")
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--output-format", "concise", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No module named ruff" in found.stderr:
        pytest.skip("ruff is not installed")
    for rule in ("S301", "S307", "S506"):
        assert rule in found.stdout


def test_the_yaml_loader_of_ours_is_a_safe_one() -> None:
    import yaml

    from readbench.base.documents import _UniqueKeyLoader

    assert issubclass(_UniqueKeyLoader, yaml.SafeLoader)
    changed = {tag for tag, make in _UniqueKeyLoader.yaml_constructors.items() if make is not yaml.SafeLoader.yaml_constructors.get(tag)}
    assert changed == {"tag:yaml.org,2002:float"}  # 5e-5 is a number
