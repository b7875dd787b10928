"""Commands of `fedfundus-simulate` beyond a single run, one a file; simulations.cli registers them."""
