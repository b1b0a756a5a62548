"""Reports: rows on disk become figures and one HTML file. Imports no other room."""

from gatewright.reports.report import write_report

__all__ = ["write_report"]
