"""One script a claim; README.md has the figures."""
