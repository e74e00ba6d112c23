"""How much an environment is used in a month."""

from dataclasses import dataclass, fields, replace

HOURS = 730.0
# What does not grow with the use: how long a run takes, what a deployment brings and changes.
STANDING = frozenset({"config_evaluations", "config_items", "function_seconds", "image_gb"})


@dataclass(frozen=True)
class Usage:
    """A month's use; the defaults are the design's, and where it is silent, ample.

    Attributes
    ----------
    function_runs : of all functions together
    function_seconds : how long a run takes
    training_hours : of one instance, over all jobs of the month, start-up included
    stored_gb : in the lake, models and runs together
    object_writes, object_reads : requests to the buckets
    table_gb, table_writes, table_reads : of all tables together; units of 1 KB and of 4 KB
    mails : to recipients
    alerts : to the operator
    state_transitions : of all state machines together
    log_gb : taken in by all log groups together
    image_gb : in all registries together, the versions that are kept included
    key_calls, secret_calls, api_requests, trail_events : requests
    config_items, config_evaluations : changes recorded, and judged by rules
    dashboard_tasks : that run at once, in the hours that the program sets
    users : who sign in to the dashboard
    balancer_units : mean load of the load balancer, in LCU
    nat_gb : through a NAT gateway, where there is one
    """

    function_runs: float = 35
    function_seconds: float = 60
    training_hours: float = 5.5
    stored_gb: float = 50
    object_writes: float = 20_000
    object_reads: float = 100_000
    table_gb: float = 1
    table_writes: float = 50_000
    table_reads: float = 200_000
    mails: float = 35
    alerts: float = 30
    state_transitions: float = 2_000
    log_gb: float = 1
    image_gb: float = 9
    key_calls: float = 50_000
    secret_calls: float = 500
    api_requests: float = 50_000
    trail_events: float = 30_000
    config_items: float = 500
    config_evaluations: float = 500
    dashboard_tasks: float = 1
    users: float = 5
    balancer_units: float = 0.05
    nat_gb: float = 5

    def times(self, factor: float) -> "Usage":
        """Return this use, more of everything by a factor but of what does not grow with it."""
        names = {one.name for one in fields(self)} - STANDING
        return replace(self, **{name: getattr(self, name) * factor for name in names})
