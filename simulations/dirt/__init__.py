"""Plants every kind of dirt a hospital's data can hold, remembers what it planted, and scores `check` against it."""
