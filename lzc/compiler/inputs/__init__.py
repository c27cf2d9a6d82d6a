"""What a build begins with: the zones of a project, and what their sources may read."""
