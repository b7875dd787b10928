"""Attacks against a configuration: who was trained on, what a photograph or a note looked like, what epsilon holds.

Threat models, figures and limits stand in docs/audit.md.
"""
