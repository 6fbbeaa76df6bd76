"""One page about a measured run, with everything inside of one HTML file."""

from samflow.results.report.page import Drift, write_report
from samflow.results.report.scores import read_scores

__all__ = ["Drift", "read_scores", "write_report"]
