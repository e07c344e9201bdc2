// The fault wrapper: injects latency and errors into a handler, as the SSM parameter FAILURE_INJECTION_PARAM says.
//
// The parameter's text is in the format of the npm package failure-lambda, version 1:
//
//     {"latency":   {"enabled": true, "percentage": 50, "min_latency": 100, "max_latency": 400},
//      "exception": {"enabled": true, "percentage": 10, "exception_msg": "the shop is on fire"}}
//
// This file reads those two flags of it, so that the shop needs no package at all. To have the others too, install
// failure-lambda 1.x and write `import withFaults from "failure-lambda"` in index.mjs; nothing else changes.
import { SSMClient, GetParameterCommand } from "@aws-sdk/client-ssm";

const NO_FAULTS = {};
const ssm = new SSMClient({});
let cache = { flags: NO_FAULTS, readAt: -Infinity };

// How long what was read is believed: a fault begins and ends so much later at the latest.
const cacheMillis = () => {
  const seconds = Number(process.env.FAILURE_CACHE_TTL || 60);
  return (seconds >= 0 ? seconds : 60) * 1000;
};

async function readFlags() {
  const name = process.env.FAILURE_INJECTION_PARAM;
  if (!name) return NO_FAULTS;
  if (Date.now() - cache.readAt < cacheMillis()) return cache.flags;
  try {
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name: name }));
    const flags = JSON.parse(Parameter.Value);
    cache = { flags: flags !== null && typeof flags === "object" ? flags : NO_FAULTS, readAt: Date.now() };
    return cache.flags;
  } catch (error) {
    // A wrapper that cannot read its flags must never be the fault itself.
    console.error(JSON.stringify({ source: "faults", action: "config", error: String(error) }));
    return NO_FAULTS;
  }
}

const strikes = (flag) => flag?.enabled === true && Math.random() * 100 < (flag.percentage ?? 100);
const log = (entry) => console.log(JSON.stringify({ source: "faults", action: "inject", ...entry }));

export function withFaults(handler) {
  return async (event, context) => {
    const { latency, exception } = await readFlags();
    if (strikes(latency)) {
      const { min_latency: min = 100, max_latency: max = 400 } = latency;
      const millis = Math.round(min + Math.random() * Math.max(0, max - min));
      log({ mode: "latency", latency_ms: millis });
      await new Promise((resolve) => setTimeout(resolve, millis));
    }
    if (strikes(exception)) {
      log({ mode: "exception" });
      throw new Error(exception.exception_msg ?? "injected failure");
    }
    return handler(event, context);
  };
}
