"""The report of an inspection, and its renderers."""
