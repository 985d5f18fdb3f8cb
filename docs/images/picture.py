"""Shows a real run in the README: docs/images/run.svg, as its terminal showed it, and the text between the marks.

python docs/images/picture.py runs/...    (a finished run directory)
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from readbench.results.document.reading import load
from readbench.results.summary import summarise
from readbench.views.console.closing import closing_lines
from readbench.views.console.tables import allocator_tables, print_tables
from readbench.views.console.text import cell

PICTURE = Path(__file__).parent / "run.svg"
README = Path(__file__).parents[2] / "README.md"
MARKED = re.compile(r"(<!-- run: begin -->\n).*?(<!-- run: end -->)", re.DOTALL)
PICTURE_COLUMNS, TEXT_COLUMNS = 118, 100  # narrow enough to be read when a page shrinks it
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # rich would fetch a font from the network; the reader's own will do


def main(run_dir: Path) -> None:
    """Draws the picture of a run and writes its text."""
    document = load(run_dir)
    summary = summarise(document)
    ending = [cell(line) for line in closing_lines(summary, run_dir)]

    drawn = Console(file=io.StringIO(), record=True, force_terminal=True, width=PICTURE_COLUMNS, markup=False, highlight=False)
    drawn.print(cell(f"$ readbench run --suite {document.suite.name}", "bold"))
    print_tables(drawn, summary)
    drawn.print(*ending, sep="\n")
    PICTURE.write_text(FONT_FACE.sub("", drawn.export_svg(title="readbench", unique_id="readbench")), encoding="utf-8")

    text = io.StringIO()
    plain = Console(file=text, width=TEXT_COLUMNS, markup=False, highlight=False, no_color=True)
    plain.print(*allocator_tables(plain, summary, num_seeds=max(len(a.seeds) for a in summary.allocators)))
    plain.print(*ending, sep="\n", soft_wrap=True)
    lines = "\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines())
    README.write_text(MARKED.sub(lambda m: f"{m[1]}```text\n{lines}\n```\n{m[2]}", README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
