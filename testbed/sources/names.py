"""The words of ``--init``; nothing here needs torch."""

from testbed.spaces.names import INITIALISATIONS

__all__ = ["INITS"]

INITS = (*INITIALISATIONS, "trained", "pretrained")
