"""The Pulumi program: configuration -> stacks -> outputs."""

import pulumi

from stacks.configuration import ProgramConfiguration
from stacks.program import Environment

for name, value in Environment(ProgramConfiguration.load(pulumi.Config("trading"))).outputs.items():
    pulumi.export(name, value)
