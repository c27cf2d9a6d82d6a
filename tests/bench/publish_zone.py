"""Publish the forms of a project, as a server's publisher does, and say how long that took.

``python -m tests.bench.publish_zone LZC.TOML PROCESSES``: for each line that comes a look at the
live bundle, and a line with the seconds that it took.
"""

from __future__ import annotations

import json
import logging
import sys
import time

from lzc import config
from lzc.bundle import current
from lzc.bundle.reader import Bundle
from lzc.config import View
from lzc.forms.flatten import Evaluation
from lzc.forms.publisher import FormPublisher
from lzc.lua.engine.execution import EngineSettings
from lzc.serve.ipc.health_table import HealthTable
from lzc.serve.ipc.health_view import TableView


def main() -> None:
    """Looks at all forms."""
    logging.basicConfig(level=logging.WARNING)
    settings = config.load(sys.argv[1])

    def evaluate(bundle: Bundle, view: View) -> Evaluation:
        engine = EngineSettings.from_config(settings.lua)
        return Evaluation(bundle, engine, view, None, TableView(HealthTable(), lambda *_: None))

    stamps = current.verified_dir(settings.output)
    publisher = FormPublisher(settings, stamps, evaluate, int(sys.argv[2]))
    for _ in sys.stdin:
        folder = current.live(settings.output)
        began = time.perf_counter()
        for one in publisher.look(folder, time.time()):
            if one.problem:
                raise SystemExit(one.problem)
        print(json.dumps(time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
