"""Bytes to credential and back, one file per standard: pure."""
