"""A run's results in the formats of other tools, each read back by its own library in the tests."""

from samflow.results.exports.writing import EXPORT_FORMATS, export

__all__ = ["EXPORT_FORMATS", "export"]
