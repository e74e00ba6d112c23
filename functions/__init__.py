"""The Lambda handlers: one thin file a station of the month."""
