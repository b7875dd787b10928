"""Files from outside are read in processes of their own, so that no photograph can end a check or a round."""
