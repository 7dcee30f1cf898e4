"""What jobs have used up, added up over all sessions and workers of a gate, restarts included."""
