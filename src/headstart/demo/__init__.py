"""The page of `headstart demo`."""
