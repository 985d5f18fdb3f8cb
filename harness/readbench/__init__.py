"""readbench: a benchmark harness for allocators of capability distillation."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from readbench.base.plugins import make_allocator, make_verifier
    from readbench.views.notebook import load

    __version__: str

__all__ = ["__version__", "load", "make_allocator", "make_verifier"]


def __getattr__(name: str) -> Any:
    """The public names, when they are first asked for: `readbench --help` does not wait for numpy."""
    if name == "make_allocator":
        from readbench.base.plugins import make_allocator

        return make_allocator
    if name == "make_verifier":
        from readbench.base.plugins import make_verifier

        return make_verifier
    if name == "load":
        from readbench.views.notebook import load

        return load
    if name == "__version__":
        from importlib.metadata import version

        return version("readbench")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
