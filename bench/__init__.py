"""The benchmarks. Each is set up like a stage, before its module loads torch."""

from headstart.tracking.start import start

start()
