"""``python -m tests.bench [--json FILE] [WORD ...]``: run the rows and print the table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.bench.rows import ROWS


def main() -> None:
    """Run the rows that were asked for, one after the other, and print each figure as it comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("words", nargs="*", metavar="WORD", help=f"of: {', '.join(ROWS)}")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    chosen = {
        name: row
        for name, row in ROWS.items()
        if not arguments.words or any(word in name for word in arguments.words)
    }
    if not chosen:
        parser.error(f"no row is called so; there are: {', '.join(ROWS)}")
    figures = []
    print(f"{'row':38} {'peer':26} {'peer':>12} {'lzc':>12} {'ratio':>7}  goal")
    for name, row in chosen.items():
        with tempfile.TemporaryDirectory(prefix=f"lzc-bench-{name}-") as folder:
            for figure in row(Path(folder)):
                ratio = figure.ratio
                figures.append({**asdict(figure), "ratio": ratio})
                shown = "-" if ratio is None else f"{ratio:.2f}"
                print(
                    f"{figure.row:38} {figure.peer:26} {figure.peer_value:12,.2f}"
                    f" {figure.lzc_value:12,.2f} {shown:>7}  {figure.goal} ({figure.unit})"
                )
                sys.stdout.flush()
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
