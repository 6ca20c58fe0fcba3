"""`andon archive open`: the console on archives, offline."""

import argparse


def open_archive(options: argparse.Namespace) -> int:
    """Raises ConfigError."""
    from console.offline import open_archives

    return open_archives(options.path, options.key, mouse=not options.no_mouse)
