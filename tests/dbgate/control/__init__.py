"""Tests of dbgate.control."""
