"""Keys, certificates and requests: what is signed with what, and how it is written."""
