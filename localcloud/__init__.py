"""An embedded AWS: one process that stands in for the cloud in development and tests."""
