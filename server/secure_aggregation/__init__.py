"""The coordinator's end of secure aggregation: it carries sealed messages between sites and opens one sum a round."""
