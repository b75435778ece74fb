"""One module for each larger command: its arguments (`add`) and what it does (`perform`)."""
