"""Sphinx configuration: MyST pages, examples executed by sphinx-gallery, the claims table made from papers/ at build time."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import triptych

for talker in ("jax", "matplotlib"):
    logging.getLogger(talker).setLevel(logging.ERROR)

sys.path.insert(0, str(Path(__file__).parent))

project = "Triptych"
author = "The Triptych maintainers"
release = version = triptych.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
    "claims_tables",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
exclude_patterns = ["_build", "**/README.*", "sg_execution_times.rst"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
suppress_warnings = ["ref.python"]  # the words behind "name :" in a docstring say what it is, and are no references
html_theme = "furo"
html_title = "Triptych"
html_show_copyright = False
html_static_path = ["_static"]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "copyfile_regex": "",
}
