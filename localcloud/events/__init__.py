"""Events: rules, schedules, notifications, and what is delivered after a restart."""
