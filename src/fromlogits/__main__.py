"""`python -m fromlogits` is the command `fromlogits`."""

import sys

from .cli.main import run

sys.exit(run())
