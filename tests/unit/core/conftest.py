"""Lets the tests of the C++ core import the NumPy twins beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
