"""Pretrained encoders of a site that reaches no hub: brought on a medium, checked, and found offline."""
