#!/usr/bin/env bash
# Measures SimFaaS (PyPI simfaas 0.2.2) on its README example beside the sandbox, and prints the ratio.
# SimFaaS goes into a virtual environment of its own under target/; the sandbox's figure is the newest of `cargo bench`.
# Ends with an error when the sandbox is less than ten times as fast.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/simfaas
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c "import simfaas" 2>/dev/null ||
    "$venv/bin/pip" install --quiet "simfaas==0.2.2" "setuptools<81" tqdm

# A tenth of the example: its time grows with the number of requests alone.
theirs=$("$venv/bin/python" - <<'PYTHON'
import time
from simfaas.ServerlessSimulator import ServerlessSimulator
from simfaas.SimProcess import ExpSimProcess

sim = ServerlessSimulator(
    arrival_process=ExpSimProcess(0.9),
    warm_service_process=ExpSimProcess(1 / 1.991),
    cold_service_process=ExpSimProcess(1 / 2.244),
    expiration_threshold=600,
    max_time=1e5,
)
began = time.perf_counter()
sim.generate_trace(debug_print=False, progress=False)
print(round(sim.total_req_count / (time.perf_counter() - began)))
PYTHON
)
estimates=target/criterion/sandbox/simfaas-readme/new
[ -f "$estimates/estimates.json" ] || cargo bench --bench sandbox -- simfaas-readme
python3 - "$estimates" "$theirs" <<'PYTHON'
import json, sys
folder, theirs = sys.argv[1], int(sys.argv[2])
nanos = json.load(open(f"{folder}/estimates.json"))["mean"]["point_estimate"]
requests = json.load(open(f"{folder}/benchmark.json"))["throughput"]["Elements"]
ours = requests / (nanos / 1e9)
print(f"SimFaaS 0.2.2   {theirs:>12,} requests a second")
print(f"sandbox         {round(ours):>12,} requests a second")
print(f"ratio           {ours / theirs:>12.1f}")
sys.exit(0 if ours >= 10 * theirs else 1)
PYTHON
