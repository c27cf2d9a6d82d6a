"""What differs: zones compared with zones, bundles with bundles."""
