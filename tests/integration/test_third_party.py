"""A package that readbench knows nothing of: installed from its own pyproject, found by its entry point, valid."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "allocator-package"

PROBE = """
import json
from readbench.base.plugins import registry
registered = registry().plugins("allocator")["weakest"]
print(json.dumps({
    "distribution": registered.distribution,
    "summary": registered.plugin.summary,
    "defaults": {name: parameter.default for name, parameter in registered.plugin.parameters.items()},
}))
"""


def python(*arguments: str, site: Path) -> str:
    """Runs this interpreter with `site` in front of the path; its standard output."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example package was installed into, from a copy, so that the build leaves no trace in the tree."""
    base = tmp_path_factory.mktemp("third-party")
    source = shutil.copytree(EXAMPLE, base / "source")
    target = base / "site"
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    python("-m", "pip", "install", *options, "--target", str(target), str(source), site=base)
    return target


def test_an_installed_package_is_in_the_registry(site: Path) -> None:
    assert json.loads(python("-c", PROBE, site=site)) == {
        "distribution": "readbench-weakest",
        "summary": "A share for the needed capability that is weakest now, the rest for the requirement.",
        "defaults": {"share": 0.5},
    }


def test_its_allocator_passes_the_conformance_kit_by_name(site: Path) -> None:
    python("-c", "from readbench.testing import check_allocator; check_allocator('weakest')", site=site)


def test_its_own_tests_pass(site: Path) -> None:
    python("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(site), "-c", os.devnull, str(EXAMPLE / "tests"), site=site)


def test_without_it_the_registry_does_not_know_it(tmp_path: Path) -> None:
    known = python("-c", "from readbench.base.plugins import registry; print(list(registry().plugins('allocator')))", site=tmp_path)
    assert "uniform" in known
    assert "weakest" not in known
