"""`samflow bench`: speed and memory as ratios measured in one run.

`clock` times ways of doing one thing in turn, `machine` says what the machine can do, `sam_speed`,
`xmem_speed` and `run_speed` compare with the reference way, `growth` follows time and memory as a
run grows, `bench_pages` writes table, plot and JSON.
"""

from samflow.lab.speed.benching import Bench, BenchOptions, bench

__all__ = ["Bench", "BenchOptions", "bench"]
