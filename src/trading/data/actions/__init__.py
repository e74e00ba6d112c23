"""Corporate actions: their table, what they do to prices, symbols through time, delistings."""
