"""The 17 features of a name, the market context, and the dataset that agents learn from."""
