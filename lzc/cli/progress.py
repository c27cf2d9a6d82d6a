"""A progress bar on stderr, for people only: nothing is drawn unless stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lzc.compiler.pipeline import Progress


@contextmanager
def progress_bar(*steps: str) -> Iterator[Progress | None]:
    """What to call with the step, how much of it is done and how much there is; ``None`` without a
    terminal. ``steps`` are the words for them, by default those of a build."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {name: bar.add_task(name, total=None) for name in steps or ("zones", "write")}

        def report(step: str, done: int, total: int) -> None:
            bar.update(tasks[step], completed=done, total=total)

        yield report
