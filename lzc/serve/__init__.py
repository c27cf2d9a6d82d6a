"""The asyncio runtime: sockets, workers, transfers, notify, health checks, control."""
