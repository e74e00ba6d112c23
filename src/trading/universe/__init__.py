"""The universe: who is a member, and which of the 3,600 slots each name holds."""
