import os

from hypothesis import HealthCheck, settings

# Machines are slow at times, which says nothing about the code. CI repeats the same examples.
settings.register_profile(
    "samflow",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("samflow")
