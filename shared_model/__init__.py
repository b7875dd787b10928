"""What the sites and the coordinator must agree on: model, losses, records, tensors that travel, metrics."""
