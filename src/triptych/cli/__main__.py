"""``python -m triptych.cli``: the command line where the script is not on the path."""

from triptych.cli import main

main()
