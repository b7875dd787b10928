"""What this site answered, refused and agreed to: a log that is only added to, with the ids the coordinator has."""
