"""What processes share: fork and channels, and memory that one writes and others read."""
