"""What is watched of a model in production."""
