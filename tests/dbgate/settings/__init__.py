"""Tests of dbgate.settings."""
