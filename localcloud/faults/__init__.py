"""Faults of the cloud: chosen calls are throttled, lost, repeated, or end their caller."""

from localcloud.faults.injector import Injector, clear_plan, struck, write_plan
from localcloud.faults.plan import DELIVERY, Fault, FaultPlan, Kind
from localcloud.faults.random_plan import random_plan

__all__ = [
    "DELIVERY",
    "Fault",
    "FaultPlan",
    "Injector",
    "Kind",
    "clear_plan",
    "random_plan",
    "struck",
    "write_plan",
]
