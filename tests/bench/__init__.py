"""How fast, measured: each row is a ratio of two things timed alternately in one run."""

import os

# The bench calls by gRPC and starts processes by uvloop, which forks. gRPC's handlers of forks,
# made for children that go on as they are, would only complain: these run another program at once.
# gRPC reads this when it is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
