"""What the report says in sentences: methods, measurement, doubts."""
