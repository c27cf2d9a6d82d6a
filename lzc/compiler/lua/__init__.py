"""The LUA records of a zone at build time: linted, tried, made plans of, their health checks
found."""
