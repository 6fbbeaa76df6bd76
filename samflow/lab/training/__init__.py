"""How the demo weights are made.

`python -m samflow.lab.training.demo_sam` and `python -m samflow.lab.training.demo_xmem` repeat it.
"""
