"""samflow."""
