"""The trunk cache: what the frozen part of an encoder gives of every input, computed once and kept on disk."""
