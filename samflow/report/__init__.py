"""One page about a measured run, with everything inside of one HTML file."""

from samflow.report.page import Drift, write_report
from samflow.report.scores import read_scores

__all__ = ["Drift", "read_scores", "write_report"]
