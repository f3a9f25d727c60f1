"""Score, select and export image-text pairs for training CLIP-like models.

The package handles data, scores and selections and never imports Streamlit or Plotly. The
command line is ``clip-curation``; the app is ``app.py``.
"""

__version__ = "0.1.0"
