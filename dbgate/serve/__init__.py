"""`dbgate serve`: a supervisor, its workers on the data path and one control process."""
