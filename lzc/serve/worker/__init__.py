"""What a worker answers from: bundle, keys, geo databases, and code that may not run."""
