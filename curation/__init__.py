"""Score, select and export image-text pairs for training CLIP-like models.

This half of the project knows data, scores and selections; it never imports Streamlit or
Plotly. The command line is ``python -m curation``; the app is ``app.py``.
"""

__version__ = "0.1.0"
