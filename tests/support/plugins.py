"""A distribution of plug-ins, as pip would install it."""

from pathlib import Path


def install(site: Path, name: str, module: str) -> Path:
    """Writes a module and the metadata that names it as an entry point; returns the folder, which must be on the path."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[readbench.plugins]\n{name} = {name}\n")
    (site / f"{name}.py").write_text(module)
    return site
