"""The pictures of a report page in docs/images: `python docs/images/screenshots.py RUN`.

Makes the run's page, opens it in Chromium and keeps its first two screens at 1280 and at 390 pixels as small PNGs. It needs
chromium, playwright and Pillow (which matplotlib brings); with a font like Inter (Debian: fonts-inter) they look as on most screens.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from readbench.results.document.reading import load
from readbench.views.report.page import build

HERE = Path(__file__).parent
SIZES = {1280: 1780, 390: 1688}  # width: height, in pixels
COLOURS = 64  # flat colours and the greys of the letters' edges need no more


def main(run: Path) -> None:
    """Writes report-1280.png and report-390.png."""
    page_file = HERE / "report.html"
    page_file.write_text(build(load(run)), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for width, height in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
            page.goto(page_file.resolve().as_uri())
            image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            image.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / f"report-{width}.png", optimize=True)
        browser.close()
    page_file.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
