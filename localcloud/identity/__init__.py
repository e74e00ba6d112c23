"""Who calls, what the policies allow, and the record of every decision."""
