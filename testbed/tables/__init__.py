"""Tables of scores that come with the package, with their provenance inside."""

from pathlib import Path

__all__ = ["RANDOM_CIFAR10", "STUDY_500", "STUDY_1000", "STUDY_SEEDS", "TINY_ROBUSTBENCH"]

# The 6,466 unique networks of NAS-Bench-201 at initialisation on a batch of 16 CIFAR-10
# images; docs/at_initialisation.md gives the command. Read it with `testbed.store.read_scores`.
RANDOM_CIFAR10 = Path(__file__).parent / "nasbench201-cifar10-random.parquet"

# 500 of them with every proxy of `all`; docs/study_500.md gives the commands.
STUDY_500 = Path(__file__).parent / "nasbench201-cifar10-study-500.parquet"

# 500 further networks with the quick ones of the best; docs/study/weights.md has the command.
STUDY_1000 = Path(__file__).parent / "nasbench201-cifar10-study-1000.parquet"

# The cheap proxies with weights of seeds 1 and 2; docs/study/seeds.md gives the commands.
STUDY_SEEDS = Path(__file__).parent / "nasbench201-cifar10-study-seeds.parquet"

# The 223 networks of Tiny-RobustBench, of DARTS; docs/tiny_robustbench.md gives the commands.
TINY_ROBUSTBENCH = Path(__file__).parent / "darts-cifar10-tiny-robustbench.parquet"
