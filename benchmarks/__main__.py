"""Run all measurements: ``python -m benchmarks``."""

import torch

from benchmarks import attacks, checks, command, hessian, input_hessian, jacobian, suite_zero

torch.set_num_threads(1)
for benchmark in (jacobian, input_hessian, checks, command, suite_zero, hessian, attacks):
    benchmark.main()
