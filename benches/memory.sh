#!/usr/bin/env bash
# Peak memory of the whole process in a run of about an hour of virtual time on the shop, at 5 to 5,000 orders a second:
# 45 minutes of an ordinary day, seven minutes in which the payment worker is throttled and the orders wait, and the
# recovery. Prints a line of docs/performance.md for each rate.
#
#   cargo build --release && benches/memory.sh                 # or: benches/memory.sh path/to/squall [RATE...]
#   BASELINE=6m benches/memory.sh target/release/squall 5000   # a shorter day
set -euo pipefail
cd "$(dirname "$0")/.."
squall=$(realpath "${1:-target/release/squall}")
shift || true
rates=("$@")
[ ${#rates[@]} -gt 0 ] || rates=(5 50 500 5000)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cp sandbox/shop/template.yaml "$folder/"
cat > "$folder/squall.yaml" <<'YAML'
version: 1
default_account: sandbox
accounts:
  sandbox:
    sandbox: { template: template.yaml, traffic: traffic.yaml, stack: shop }
YAML
cat > "$folder/hour.yaml" <<YAML
version: 1
title: Shoppers can order while the payment worker is throttled
because: An hour of the sandbox, for its memory.
targets:
  worker: { function: PaymentWorker }
hypotheses:
  # A bound that every rate keeps: this is about memory.
  - signal: failed share of ShopApi is at most 90 %
baseline: ${BASELINE:-45m}
faults:
  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }
    at: 0m
    for: 7m
recovers_within: 10m
guards:
  longest: 90m
YAML

echo "| orders a second | peak memory | virtual time | processor time | the sandbox's file | the journal |"
echo "| --- | --- | --- | --- | --- | --- |"
for rate in "${rates[@]}"; do
    rm -rf "$folder/.squall"
    # At 1,000 invocations at one time, an account of AWS could not serve 5,000 orders a second.
    sed -e "s|rate: 5/s|rate: $rate/s|" -e '/^version: 1/a account: { concurrency: 10000 }' \
        sandbox/shop/traffic.yaml > "$folder/traffic.yaml"
    (cd "$folder" && /usr/bin/time -f '%M %U' -o time.txt "$squall" run hour.yaml --pace max --seed 1 --json \
        > lines.json 2> errors.txt) || true
    python3 - "$folder" "$rate" <<'PYTHON'
import datetime, json, os, sys

folder, rate = sys.argv[1:]
lines = [json.loads(line) for line in open(f"{folder}/lines.json") if line.strip()]
if not lines:
    sys.exit("no run: " + open(f"{folder}/errors.txt").read())
peak, seconds = open(f"{folder}/time.txt").read().split()[-2:]
times = [datetime.datetime.fromisoformat(line["at"].replace("Z", "+00:00")) for line in lines if "at" in line]
minutes = (max(times) - min(times)).total_seconds() / 60
size = lambda *names: sum(
    os.path.getsize(os.path.join(root, name))
    for root, _, found in os.walk(folder) for name in found if any(part in os.path.join(root, name) for part in names)
)
print(f"| {int(rate):,} | {int(peak) / 1024:.1f} MB | {minutes:.0f} min | {seconds} s "
      f"| {size('sandbox') // 1024} KB | {size('squall.db', 'journal') // 1024} KB |")
PYTHON
done
