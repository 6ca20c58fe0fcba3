"""The words of `andon archive`."""

import argparse

from console.cli_words import Adds, Parser, Parts, Run, day, later, nothing, whole
from console.memory import bounded


def archive_words(command: Adds, asked: Parser) -> None:
    """Add all of them."""
    part = Parts(
        command("archive", nothing, "sealed evidence: find it, read it, prove it unchanged, take it along", asked),
        "list|show|query|open|verify|export|reindex|drill",
    )
    _reading(part)
    shown = part(
        "open", later("archive_open", "open_archive"), "the console on archives, offline: no guard, no desk.yaml"
    )
    shown.add_argument(
        "path",
        nargs="+",
        metavar="PATH",
        help="an archive, an incident's folder, or an exported .tar.zst; several are one list",
    )
    shown.add_argument("--key", metavar="FILE|FINGERPRINT", help="who is trusted to have signed (default: nobody yet)")
    shown.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    verify = part(
        "verify", _frugal("archive_verify", "verify_archive"), "prove that nothing was changed since it was sealed"
    )
    verify.add_argument(
        "path",
        nargs="?",
        default="",
        metavar="PATH|ID",
        help="an incident's number or folder, an archive, or an exported .tar.zst (default: the desk's archive)",
    )
    verify.add_argument(
        "--key", metavar="FILE|FINGERPRINT", help="who is trusted to have signed (default: the desk's key)"
    )
    export = part("export", _frugal("archive_export", "export_archive"), "one incident as one .tar.zst", named="ID")
    export.add_argument("-o", "--output", default="", metavar="FILE", help="where to (default: ID.tar.zst, here)")
    reindex = part(
        "reindex", _frugal("archive_reindex", "reindex_archive"), "make the index anew from the folders alone"
    )
    reindex.add_argument("path", nargs="?", default="", metavar="PATH", help="an archive (default: the desk's own)")
    drill = part(
        "drill",
        _frugal("archive_drill", "drill_archive"),
        "read an incident back, whole, from a copy, and file a report",
    )
    drill.add_argument("path", nargs="*", metavar="PATH", help=f"{_PATHS} (default: the desk's archive)")
    drill.add_argument("--seed", type=whole, metavar="N", help="picks the incident (default: any)")


def _frugal(module: str, function: str) -> Run:
    """What reads evidence from who knows whom takes no more memory than there is."""
    run = later(module, function)

    def within(options: argparse.Namespace) -> int:
        with bounded():
            return run(options)

    return within


_PATHS = "archives, incidents' folders, or exported .tar.zst"


def _reading(part: Parts) -> None:
    listed = part("list", _frugal("archive_list", "list_archive"), "the incidents of an archive, the latest first")
    listed.add_argument("path", nargs="*", metavar="PATH", help=f"{_PATHS} (default: the desk's archive)")
    listed.add_argument("--class", dest="cls", metavar="C", help="of this class alone")
    listed.add_argument("--severity", choices=["P0", "P1", "P2", "P3"], help="of this severity alone")
    listed.add_argument("--since", type=day, metavar="YYYY-MM-DD", help="opened on that day (UTC) or later")
    listed.add_argument("--until", type=day, metavar="YYYY-MM-DD", help="opened on that day (UTC) or earlier")
    listed.add_argument("--symbol", metavar="X", help="that held or worked on this symbol")
    listed.add_argument("--text", metavar="WORDS", help="whose title, notes, reasons or outcome hold these words")

    show = part(
        "show", _frugal("archive_list", "show_archive"), "one incident, or the rows of an item", named="ID|PATH"
    )
    show.add_argument("--item", default="", metavar="NAME", help="an item's rows, or a file's text")
    show.add_argument("--filter", default="", metavar="WORDS", help="with --item: rows whose cells hold these words")
    show.add_argument("--sort", default="", metavar="COLUMN", help="with --item: by this column; --sort=-COLUMN: down")
    show.add_argument("--limit", type=whole, default=1000, metavar="N", help="with --item: so many rows (default 1000)")
    show.add_argument("--timeline", action="store_true", help="what happened, too")

    query = part("query", _frugal("archive_query", "query_archive"), "one SQL statement over all incidents, read-only")
    query.add_argument("sql", metavar="SQL", help="DuckDB's SQL; SHOW TABLES and DESCRIBE name tell what there is")
    query.add_argument("path", nargs="*", metavar="PATH", help=f"{_PATHS} (default: the desk's archive)")
    query.add_argument("--limit", type=whole, default=1000, metavar="N", help="so many rows (default 1000)")
    query.add_argument("--without", action="append", default=[], metavar="ID", help="leave an incident out; repeatable")
    query.add_argument("--csv", action="store_true", help="print CSV")
