"""Tests of dbgate.serve."""
