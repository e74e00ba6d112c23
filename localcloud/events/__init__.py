"""Events: rules, schedules, notifications, and what is delivered after a restart.

`install` accepts events from the start of the cloud on; `start` begins to deliver them, once the
stack is deployed.
"""

from localcloud.events.install import install, start

__all__ = ["install", "start"]
