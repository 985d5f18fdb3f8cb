"""A matplotlib drawing as inline SVG under a strict Content-Security-Policy, coloured by the page's style sheet.

matplotlib writes ``style`` attributes, which the policy forbids, and fixed colours, which a dark page cannot change. So
pictures are drawn in the colours of `Ink`, each a placeholder, and the SVG is rewritten: a placeholder becomes a class
(``f-NAME`` for fill, ``k-NAME`` for stroke), every other declaration an attribute; ids are renamed per picture, fonts are
the page's. The same drawing gives the same bytes. Lengths are CSS pixels throughout (72 to matplotlib's inch).
"""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

NAMES = ("ink", "muted", "grid", "surface", "accent", "gain", "loss", "other", *(f"s{i}" for i in range(1, 9)), "n1", "n2")
COLOURS = {name: f"#0000{index:02x}" for index, name in enumerate(NAMES, start=1)}
INK, MUTED, GRID, SURFACE, ACCENT, GAIN, LOSS, OTHER = list(COLOURS.values())[:8]
SERIES = tuple(COLOURS[f"s{i}"] for i in range(1, 9))
NEUTRALS = (COLOURS["n1"], COLOURS["n2"])

PIXEL = 1 / 72  # inches
_SETTINGS: Any = {  # matplotlib names its settings in a type of its own
    "svg.fonttype": "none",
    "svg.hashsalt": "readbench",
    "text.parse_math": False,  # a name with two dollar signs is a name, no formula
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same layout on every machine
    "font.size": 12,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 12,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.unicode_minus": True,
    "hatch.linewidth": 1.2,
    "lines.solid_capstyle": "round",
    "path.simplify": False,
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_CLASS_OF = {colour: name for name, colour in COLOURS.items()}
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_DECIMALS = re.compile(r"-?\d+\.\d+")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_DROPPED = {"font-family", "stroke-linejoin", "stroke-linecap"}  # the page's style sheet says them once


def draw(
    paint: Callable[[Figure], None],
    *,
    width: float,
    height: float,
    key: str,
    title: str = "",
    description: str = "",
    decorative: bool = False,
) -> Markup:
    """What `paint` draws, as an SVG element of that many pixels; `key` makes its ids unique in the page.

    `decorative` hides it from assistive technology: the text beside it says the same.
    """
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the browser has the glyph; only the width is guessed
        figure = Figure(figsize=(width * PIXEL, height * PIXEL))
        figure.patch.set_visible(False)
        paint(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    root = ET.fromstring(stream.getvalue())  # noqa: S314 - written by matplotlib a line above
    _rewrite(root, key)
    root.attrib = {"viewBox": root.attrib["viewBox"], "width": f"{width:g}", "height": f"{height:g}"}
    if decorative:
        root.set("aria-hidden", "true")
    else:
        _describe(root, key, title, description)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree escaped every text in it


def axes(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with margins in pixels, without frame or ticks."""
    width, height = figure.get_size_inches() / PIXEL
    made = figure.add_axes((left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height))
    made.patch.set_visible(False)
    made.set_axisbelow(True)
    for spine in made.spines.values():
        spine.set_visible(False)
    return made


def _rewrite(root: ET.Element, key: str) -> None:
    referenced = {match for element in root.iter() for value in element.attrib.values() for match in _REFERENCE.findall(value)}
    referenced |= {element.attrib[_HREF].lstrip("#") for element in root.iter() if _HREF in element.attrib}
    names = {old: f"{key}-{index}" for index, old in enumerate(e.get("id", "") for e in root.iter() if e.get("id") in referenced)}
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = _attributes(element.attrib, names)
        if element.tag != "text":
            element.text = None
        element.tail = None


def _attributes(given: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    """Attributes without styles, placeholders and unused ids, numbers with two decimals."""
    declarations = dict(part.split(": ", 1) for part in given.get("style", "").split("; ") if part)
    kept = {name: value for name, value in given.items() if name not in ("style", "id", _HREF)}
    kept |= {name: value for name, value in declarations.items() if name not in _DROPPED}
    result, classes = {}, []
    if given.get("id") in names:
        result["id"] = names[given["id"]]
    if _HREF in given:
        result["href"] = "#" + names[given[_HREF].lstrip("#")]
    for name, raw in kept.items():
        value = _REFERENCE.sub(lambda match: f"url(#{names[match.group(1)]})", raw)
        if name in ("fill", "stroke") and value in _CLASS_OF:
            classes.append(f"{'f' if name == 'fill' else 'k'}-{_CLASS_OF[value]}")
        elif name == "transform" and value.startswith("rotate(-0 "):
            continue
        else:
            result[name] = _DECIMALS.sub(_short, " ".join(value.split())) if name in ("d", "x", "y", "transform") else value
    if classes:
        result["class"] = " ".join(classes)
    return result


def _short(match: re.Match[str]) -> str:
    return f"{float(match.group()):.2f}".rstrip("0").rstrip(".")


def _describe(root: ET.Element, key: str, title: str, description: str) -> None:
    root.set("role", "img")
    root.set("aria-labelledby", f"{key}-t {key}-d")
    for index, (tag, suffix, text) in enumerate((("title", "t", title), ("desc", "d", description))):
        element = ET.Element(tag, id=f"{key}-{suffix}")
        element.text = text
        root.insert(index, element)
