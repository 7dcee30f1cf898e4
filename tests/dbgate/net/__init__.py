"""Tests of dbgate.net."""
