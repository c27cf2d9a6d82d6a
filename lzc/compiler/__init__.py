"""The compiler: sources, checks, compiled zones, bundle."""
