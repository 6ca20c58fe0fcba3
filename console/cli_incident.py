"""The words of `andon incident`."""

from console.cli_words import Adds, Parser, Parts, later, nothing

SEVERITIES = ("P0", "P1", "P2", "P3")


def incident_words(command: Adds, asked: Parser) -> None:
    """Add all of them."""
    part = Parts(
        command("incident", nothing, "what happened to the desk, and the evidence of it", asked),
        "open|list|show|note|close|attach|snapshot",
    )
    opened = part("open", later("incident", "open_incident"), "open one by hand; a pull at L3 or L4 opens its own")
    opened.add_argument("--class", dest="cls", metavar="C", default="", help="the id of its class, broker-outage say")
    opened.add_argument("--severity", choices=SEVERITIES, help="default: that of its class, P0 without one")
    opened.add_argument("--title", metavar="T", default="", help="what happened, in a few words")
    part("list", later("incident", "list_incidents"), "every incident on record")
    part("show", later("incident", "show_incident"), "one of them: what was done, and what is sealed", named="ID")
    note = part("note", later("incident", "note_incident"), "write something down about it", named="ID")
    note.add_argument("text", nargs="+", metavar="TEXT", help="what is to be known")
    close = part("close", later("incident", "close_incident"), "it is over; the cord and the gate stay", named="ID")
    close.add_argument("--outcome", required=True, metavar="TEXT", help="how it came out")
    attach = part("attach", later("incident_evidence", "attach"), "seal files with its evidence", named="ID")
    attach.add_argument("files", nargs="+", metavar="FILE", help="at most 8 MiB each; secrets in them are blotted out")
    snapshot = part("snapshot", later("incident_evidence", "snapshot"), "read the desk and seal it now")
    snapshot.add_argument("id", nargs="?", default="", metavar="ID", help="default: the incident that is open")
