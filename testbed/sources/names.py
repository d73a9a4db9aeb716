"""The words of ``--init``; nothing here needs torch."""

from testbed.spaces.nasbench201.names import INITIALISATIONS

__all__ = ["INITS"]

INITS = (*INITIALISATIONS, "trained", "pretrained")
