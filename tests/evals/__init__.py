"""Tests of the evaluation harness and, with it, of the embedded engine's picks."""
