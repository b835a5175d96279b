"""The benchmarks from the command line.

``python -m tests.benchmarks run [MEASURE …]`` measures all sides on all databases and prints tables with ratios.
``python -m tests.benchmarks MEASURE --side ours --database sqlite --count 500`` measures once and prints JSON.
``python -m tests.benchmarks table FILE`` prints the tables of a run again, for docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from tests.benchmarks import report, runner
from tests.benchmarks.catalogue import MEASURES, cases_of
from tests.benchmarks.results import DATABASES, SIDES, Cell, Record
from tests.live import BASE_DIR

RESULTS = BASE_DIR / "var" / "benchmarks"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure the console's speed.")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="measure all sides on all databases and print tables")
    run.add_argument("measures", nargs="*", metavar="MEASURE", help=f"any of {', '.join(MEASURES)}; all if left out")
    run.add_argument("--scale", choices=("full", "quick", "tiny"), default="full")
    run.add_argument("--repeat", type=int, default=3, help="each figure is the median of so many")
    run.add_argument("--side", choices=SIDES, action="append", help="only this one; may be given again")
    run.add_argument("--database", choices=DATABASES, action="append", help="only this one; may be given again")
    run.add_argument("--executions", type=int, help="how many the memory measure runs")
    run.add_argument("--output", type=Path, help="the file for the raw outcomes, in var/benchmarks if left out")

    table = commands.add_parser("table", help="print the tables of a run that was saved")
    table.add_argument("file", type=Path)

    for name, measure in MEASURES.items():
        once = commands.add_parser(name, help=f"measure once: {measure.title.lower()}")
        once.add_argument("--side", choices=measure.sides, required=True)
        once.add_argument("--database", choices=DATABASES, default="sqlite")
        case = cases_of(name, "full")[0]
        for field, value in asdict(case).items():
            if value:
                once.add_argument(f"--{field}", type=type(value), default=value, help=f"default: {value:,}")
    return parser


def _run(options: argparse.Namespace) -> None:
    records: list[Record] = []
    path: Path = options.output or RESULTS / f"{datetime.now():%Y-%m-%d-%H%M%S}.json"
    names = options.database or DATABASES
    about = runner.describe_run(options.scale, options.repeat, names)
    outcomes = runner.run_all(
        options.measures or list(MEASURES),
        options.scale,
        sides=options.side or SIDES,
        names=names,
        repeat=options.repeat,
        executions=options.executions,
    )
    for record in outcomes:
        records.append(record)
        print(_line(record), file=sys.stderr, flush=True)
        # After each, so that a run that is broken off has not been for nothing.
        runner.save(path, about, records)
    print(report.of_file(path))
    print(f"\nAll outcomes: {path}", file=sys.stderr)


def _line(record: Record) -> str:
    figures = ", ".join(f"{key} {value:,.2f}" for key, value in record.outcome.figures.items())
    fault = f" stopped: {record.outcome.fault}" if record.outcome.fault else ""
    return f"{record.measure} ({record.case}) {record.cell}: {figures}{fault}"


def _once(options: argparse.Namespace) -> None:
    case = cases_of(options.command, "full")[0]
    given = {name: getattr(options, name) for name in asdict(case) if hasattr(options, name)}
    cell = Cell(options.side, "" if options.side == "memory" else options.database)
    case = replace(case, **given)
    outcome = runner.run_cell(options.command, case, cell)
    print(json.dumps(Record(options.command, case, cell, outcome).as_dict()))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "run":
        unknown = sorted(set(options.measures) - set(MEASURES))
        if unknown:
            parser.error(f"There is no measure {', '.join(unknown)}. Choose from {', '.join(MEASURES)}.")
        if options.repeat < 1 or (options.executions is not None and options.executions < 1):
            parser.error("--repeat and --executions are at least 1.")
        _run(options)
    elif options.command == "table":
        if not options.file.is_file():
            parser.error(f"There is no file {options.file}. Name one of {RESULTS}.")
        print(report.of_file(options.file))
    else:
        _once(options)


if __name__ == "__main__":
    main()
