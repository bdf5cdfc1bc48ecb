"""Where objects come from: files, streams and clusters."""
