"""Figures of the information room."""
