"""The typed stub has the classes, members and parameter names of the extension (`mypy.stubtest` says more, but takes a minute)."""

import ast
import re
from pathlib import Path

import readbench
from readbench import _core

TREE = ast.parse((Path(readbench.__file__).parent / "_core.pyi").read_text("utf-8"))
CLASSES = {node.name: node for node in TREE.body if isinstance(node, ast.ClassDef)}


def public(names: list[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def test_the_module_has_what_the_stub_says() -> None:
    functions = [node.name for node in TREE.body if isinstance(node, ast.FunctionDef)]
    assert public(dir(_core)) == {*functions, *CLASSES}


def test_classes_have_the_members_and_parameters_of_the_stub() -> None:
    for name, node in CLASSES.items():
        methods = [member for member in node.body if isinstance(member, ast.FunctionDef)]
        runtime = getattr(_core, name)
        if methods:
            assert public(list(vars(runtime))) == public([method.name for method in methods])
        for method in methods:
            if (method.decorator_list and ast.unparse(method.decorator_list[0]) == "property") or method.name == "__eq__":
                continue
            stated = [argument.arg for argument in [*method.args.args, *method.args.kwonlyargs]]
            signature = getattr(runtime, method.name).__doc__.splitlines()[0].rpartition("->")[0]
            assert re.findall(r"(\w+): ", signature) == stated, f"{name}.{method.name}"
