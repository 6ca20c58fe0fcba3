"""The words of `andon archive`."""

from console.cli_words import Adds, Parser, Parts, later, nothing


def archive_words(command: Adds, asked: Parser) -> None:
    """Add all of them."""
    part = Parts(
        command("archive", nothing, "sealed evidence: prove it unchanged, take it along", asked), "verify|export"
    )
    verify = part(
        "verify", later("archive_verify", "verify_archive"), "prove that nothing was changed since it was sealed"
    )
    verify.add_argument(
        "path",
        nargs="?",
        default="",
        metavar="PATH|ID",
        help="an incident's number or folder, an archive, or an exported .tar.zst (default: the desk's archive)",
    )
    verify.add_argument(
        "--key", default="", metavar="FILE|FINGERPRINT", help="who is trusted to have signed (default: the desk's key)"
    )
    export = part("export", later("archive_export", "export_archive"), "one incident as one .tar.zst", named="ID")
    export.add_argument("-o", "--output", default="", metavar="FILE", help="where to (default: ID.tar.zst, here)")
