"""How fast, measured: each row is a ratio of two things timed alternately in one run."""
