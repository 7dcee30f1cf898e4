"""`dbgate demo`: a real PostgreSQL, a gate before it and an agent that tries to get more than it may."""
