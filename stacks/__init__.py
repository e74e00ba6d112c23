"""The cloud as code: one Pulumi component per concern."""
