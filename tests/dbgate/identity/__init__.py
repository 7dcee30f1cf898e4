"""Tests of dbgate.identity."""
