"""Differential privacy in training, of the patient: whom a step draws, what it clips, the noise it adds, what it costs.

The proof stands in docs/privacy.md and names the functions here that each of its steps rests on.
"""
