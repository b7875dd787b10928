"""One hospital's own: its configuration, and the folder of what FedFundus keeps there."""
