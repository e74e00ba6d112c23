"""Child processes that die with the cloud."""

from localcloud.processes.spawner import Spawner

__all__ = ["Spawner"]
