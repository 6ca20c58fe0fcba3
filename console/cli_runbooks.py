"""The words of `andon tree`, `andon procedure`, `andon cadence` and `andon task`."""

from console.cli_words import Adds, Parser, Parts, day, later, nothing, steps


def runbook_words(command: Adds, asked: Parser) -> None:
    """Add all of them."""
    _tree(command("tree", nothing, "recovery trees: from a symptom to what to do", asked))
    _procedure(command("procedure", nothing, "procedures, checklists, playbooks and rollbacks", asked))
    _cadence(command("cadence", nothing, "the gates of the operating cadence, and when each is due", asked))
    _task(command("task", nothing, "what recovery trees left to do", asked))


def _tree(tree: Parser) -> None:
    part = Parts(tree, "list|show|walk|walks|read")
    part("list", later("runbooks", "list_trees"), "the trees and their symptoms")
    part("show", later("runbooks", "show_tree"), "one tree on a page", named="ID")
    walk = part("walk", later("walk", "walk_tree"), "walk a tree, every answer on record", named="ID")
    walk.add_argument("--answers", metavar="yes,no,…", help="walk anew by these answers instead of asking")
    walk.add_argument("--act", action="store_true", help="do what the leaf says; without it nothing is done")
    walk.add_argument("--new", action="store_true", help="begin anew although a walk through this tree is not over")
    walk.add_argument("--abort", metavar="REASON", default="", help="end the walk that is not over, and say why")
    walk.add_argument("--note", metavar="TEXT", default="", help="kept with the last answer, or with what is done")
    for kind, letter in (("venue", "V"), ("strategy", "S"), ("symbol", "X")):
        says = f"what a leaf pulls or resumes: this {kind}, not the desk; repeatable"
        walk.add_argument(f"--{kind}", action="append", default=[], metavar=letter, help=says)
    walk.add_argument("--no-wait", action="store_true", help="where the cord is pulled: do not wait for the proof")
    for word, says in (("cause", "own-fix, external or mistaken"), ("text", "what the cause was")):
        walk.add_argument(f"--{word}", metavar=word.upper(), default="", help=f"for a leaf that resumes: {says}")
    walk.add_argument("--checked", metavar="TEXT", default="", help="how an own fix was verified outside production")
    walk.add_argument("--confirm", metavar="DESKNAME", default="", help="the desk's name, typed")
    part("walks", later("past", "list_walks"), "every walk on record")
    part("read", later("past", "read_walk"), "one walk as it went", named="WALK")


def _procedure(procedure: Parser) -> None:
    part = Parts(procedure, "list|show|run|runs|read")
    part("list", later("runbooks", "list_procedures"), "all that can be done step by step")
    part("show", later("runbooks", "show_procedure"), "one of them on a page", named="ID")
    run = part("run", later("run", "run_procedure"), "go through one, every step on record", named="ID")
    run.add_argument("--done", type=steps, default=[], metavar="1,2", help="these steps are done")
    run.add_argument("--skip", type=steps, default=[], metavar="3", help="these are left out; --note says why")
    run.add_argument("--override", type=steps, default=[], metavar="4", help="taken for done against the evidence")
    run.add_argument("--undo", type=steps, default=[], metavar="1", help="nothing is said of these steps any more")
    run.add_argument("--note", metavar="TEXT", default="", help="kept with each of these steps")
    run.add_argument("--finish", action="store_true", help="it is over; no step may be open")
    run.add_argument("--abort", metavar="REASON", default="", help="it is over before its end, and why")
    run.add_argument("--new", action="store_true", help="begin anew although a run of it is not over")
    part("runs", later("past", "list_runs"), "every run on record")
    part("read", later("past", "read_run"), "one run as it went", named="RUN")


def _cadence(cadence: Parser) -> None:
    part = Parts(cadence, "list|attest|waive")
    part("list", later("cadence", "list_gates"), "every gate by cadence, when it is due, and its last result")
    attest = part("attest", later("cadence", "attest"), "write down what was found about a gate", named="GATE")
    attest.add_argument("--result", required=True, choices=["passed", "failed"], help="what was found")
    attest.add_argument("--note", metavar="TEXT", default="", help="what was seen")
    attest.add_argument("--evidence", metavar="PATH", default="", help="where the proof lies; a file's hash is kept")
    waive = part("waive", later("cadence", "waive"), "let a gate go by this once", named="GATE")
    waive.add_argument("--reason", required=True, metavar="TEXT", help="why")
    for each in (attest, waive):
        each.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="the day it counts for (default: today, UTC)")


def _task(task: Parser) -> None:
    part = Parts(task, "list|close")
    part("list", later("task", "list_tasks"), "the tasks that are open")
    close = part("close", later("task", "close_task"), "a task is done", named="TASK")
    close.add_argument("--note", required=True, metavar="TEXT", help="what came out")
