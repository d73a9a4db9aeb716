"""How robust networks are: published truths, and how well scores rank them."""
