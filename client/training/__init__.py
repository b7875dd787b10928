"""What a site does in a round: batches, augmentation, optimiser steps, validation."""
