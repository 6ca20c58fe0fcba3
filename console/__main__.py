"""`python -m console` is the command `andon`."""

import sys

from console.cli import main

sys.exit(main())
