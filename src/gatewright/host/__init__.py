"""The computer's side of a board: it loads a model, streams sequences and reads results, over registers alone."""
