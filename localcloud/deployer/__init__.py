"""The deployer: runs the real Pulumi program and provisions what it registers on the embedded AWS.

The program is run in this process, without the Pulumi engine, under a resource monitor of our own.
Every resource type that the program uses has a handler in `resources/`; an unknown type fails.
"""
