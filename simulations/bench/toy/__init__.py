"""The toy jobs that frameworks are compared by: plain PyTorch, our inline engine, and stock Flower with Ray."""
