"""The DARTS space: genotypes of two cells, their networks for CIFAR, weights and costs."""
