"""How the demo weights are made: `python -m samflow.training.sam` and `.xmem` repeat it."""
