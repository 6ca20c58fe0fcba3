"""Run by path with `python -IS`, as the launcher does. A file that is run is compiled every time: it is kept short."""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from console.cord.command import main

    sys.exit(main(sys.argv[1:]))
