"""What a patient and a site may ask for: not to be used, to know where one was used, and to be forgotten."""
