"""Training of the networks of edgedigits, from committed recipes."""
