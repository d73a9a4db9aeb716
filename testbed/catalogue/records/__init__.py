"""The records of the proxies that come with the package, one family a file, free of torch."""

from testbed.catalogue.records import (
    activation,
    baseline,
    gradient,
    hessian,
    jacobian,
    robust,
    saliency,
    structural,
    warm,
)

__all__ = ["RECORDS"]

RECORDS = (
    *baseline.RECORDS, *structural.RECORDS, *jacobian.RECORDS, *hessian.RECORDS, *saliency.RECORDS,
    *gradient.RECORDS, *activation.RECORDS, *robust.RECORDS, *warm.RECORDS,
)  # fmt: skip
