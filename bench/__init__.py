"""The benchmarks. headstart comes first: it sets what must be set before torch is loaded."""

import headstart  # noqa: F401
