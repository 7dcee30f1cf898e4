"""`python -m dbgate` is the `dbgate` command."""

from dbgate.cli import main

main()
