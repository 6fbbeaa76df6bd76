"""One page about a measured run, with everything inside of one HTML file."""

from samflow.results.report.page import Drift, write_report

__all__ = ["Drift", "write_report"]
