"""The diagrams of the documentation, drawn from the code: ``python -m docs.diagrams`` from the root writes them."""
