"""The terminal in a real browser. A package, so that pytest closes the browser at its end."""
