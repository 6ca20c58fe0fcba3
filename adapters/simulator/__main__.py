"""`python -m adapters.simulator broker|strategies`: the two processes of the simulated desk."""

import argparse
import sys


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["strategies"]:
        from adapters.simulator import strategies

        code: int = strategies.main(arguments[1:])
        return code
    parser = argparse.ArgumentParser(prog="python -m adapters.simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    from adapters.simulator import server

    server.add_arguments(commands.add_parser("broker", help="the simulated broker"))
    commands.add_parser("strategies", help="the simulated strategies", add_help=False)
    return server.run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
