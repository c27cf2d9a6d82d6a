"""Long runs, each a module with a ``main``: ``python -m tests.soak NAME``."""
