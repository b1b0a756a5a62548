"""Reports: rows on disk become figures and one HTML file. Imports no other room."""
