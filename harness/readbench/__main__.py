"""``python -m readbench``: the command line without its script on the PATH."""

import sys

from readbench.views.cli.main import main

sys.exit(main())
