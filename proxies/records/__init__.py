"""The records of the proxies that come with the package, one family a file, free of torch."""

from proxies.records import activation, baseline, hessian, jacobian, saliency

__all__ = ["RECORDS"]

RECORDS = (
    *baseline.RECORDS, *jacobian.RECORDS, *hessian.RECORDS, *saliency.RECORDS, *activation.RECORDS,
)  # fmt: skip
