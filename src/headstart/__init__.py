"""From a folder of pictures to a classifier, as DVC stages."""

import atexit
import gc

# A stage imports a million objects that stay until it ends. Looking through them for garbage again
# and again, and once more at exit, took half of its start-up (bench.compare shows what is left).
gc.set_threshold(100_000, 10, 10)
atexit.register(gc.freeze)
