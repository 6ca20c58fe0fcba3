"""`andon task`: what recovery trees left to do."""

import argparse

import msgspec

from console.commands.kept import write_down
from console.commands.look import look
from console.commands.output import print_json, print_table
from console.desk import entries as en
from console.desk.words import stamp


def list_tasks(options: argparse.Namespace) -> int:
    """Prints the tasks that are open."""
    tasks = look(options.desk)[1].state.logbook.open_tasks
    if options.json:
        print_json({"tasks": [msgspec.structs.asdict(task) for task in tasks]})
    else:
        print_table([(task.id, f"{stamp(task.at)} {task.actor}", task.says) for task in tasks])
    return 0


def close_task(options: argparse.Namespace) -> int:
    """Writes that a task is done, and what came out."""
    entry = en.TaskClosed(options.id, options.note)
    return write_down(options, entry, lambda session: f"task {options.id} is closed")
