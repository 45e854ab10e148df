"""The benchmarks. Each starts as a stage does, before its module loads torch."""

from headstart.tracking.start import start

start()
