"""The site's process with the network: carries questions from Flower to the worker's socket, and holds no data."""
