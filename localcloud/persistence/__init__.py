"""What the cloud has acknowledged, on disk before it answers, and back in place at its start."""
