"""What a site does with its canonical records: masks notes, splits, decodes photographs, sums up."""
