"""What a command line may say of networks of any space; nothing here needs torch."""

__all__ = ["INITIALISATIONS", "MOST_CELLS", "MOST_CHANNELS"]

INITIALISATIONS = ("random", "random-kaiming", "random-xavier")
MOST_CHANNELS, MOST_CELLS = 1024, 100  # beyond what anybody trains, within what fits a memory
