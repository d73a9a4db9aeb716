"""The sentences of the report: methods, measurement, doubts."""
