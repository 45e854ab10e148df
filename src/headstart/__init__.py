"""From a folder of pictures to a classifier, as DVC stages."""

import atexit
import gc
import os

# A stage imports a million objects that stay until it ends. Looking through them for garbage again
# and again, and once more at exit, took half of its start-up (bench.compare shows what is left).
gc.set_threshold(100_000, 10, 10)
atexit.register(gc.freeze)

# OpenMP's threads meet at the end of each operation of torch. By default those that arrive first spin
# for milliseconds; where other processes are busy too, that keeps the threads they wait for off the
# cores, and an epoch took three times as long. Threads that sleep cost nothing alone
# (bench.neighbours). OpenMP reads this once, when torch is loaded: so it stands here, which runs before
# any module of ours can import torch. A setting of the user's stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
