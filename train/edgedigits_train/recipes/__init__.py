"""The published recipes, one TOML file each: every hyperparameter of every published result."""
