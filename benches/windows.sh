#!/usr/bin/env bash
# What a window of a run costs at window 2,500 and at window 10,000: runs with a window every 10 s, twice as long each time. Prints
# a line for each; where a window costs the same however many came before it, twice the windows take twice the time.
#
#   cargo build --release && benches/windows.sh      # or: benches/windows.sh path/to/squall [HOURS...]
set -euo pipefail
cd "$(dirname "$0")/.."
squall=$(realpath "${1:-target/release/squall}")
shift || true
hours=("$@")
[ ${#hours[@]} -gt 0 ] || hours=(7 14 28)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat > template.yaml <<'YAML'
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs: { Type: AWS::SQS::Queue }
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: a.h
      InlineCode: x
      Events: { In: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn } } }
YAML
printf 'version: 1\ntraffic: [ { to: { queue: Jobs }, rate: 6/min } ]\n' > traffic.yaml
cat > squall.yaml <<'YAML'
version: 1
default_account: sandbox
accounts:
  sandbox:
    sandbox: { template: template.yaml, traffic: traffic.yaml, stack: small }
YAML
echo "| windows of 10 s | processor time | a window | peak memory |"
echo "| --- | --- | --- | --- |"
for each in "${hours[@]}"; do
    cat > long.yaml <<YAML
version: 1
title: A long fault
because: A window must cost the same however many came before it.
targets: { worker: { function: Worker } }
hypotheses:
  - { signal: depth of Jobs is at most 100000, every: 10s }
baseline: 8m
faults: [ { inject: { lambda.throttle: { target: worker, concurrency: 0 } }, for: ${each}h } ]
recovers_within: 10m
guards: { longest: 100h }
YAML
    rm -rf .squall
    /usr/bin/time -f '%U %M' -o time.txt "$squall" run long.yaml --pace max --yes --seed 1 > out.txt 2>&1 || true
    read -r seconds peak < <(tail -1 time.txt)
    windows=$((each * 360))
    awk -v w=$windows -v s="$seconds" -v m="$peak" \
        'BEGIN { printf "| %d | %.2f s | %.2f ms | %.1f MB |\n", w, s, s / w * 1000, m / 1000 }'
done
