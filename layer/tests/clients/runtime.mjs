// A runtime client for Node, after the documentation of the Runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): one connection that is kept, errors with their type in a header,
// and responses that stream with trailers.
import http from "node:http";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, headers, send) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime${path}`, headers, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    send(request);
  });
}

const whole = (body) => (request) => request.end(body);

async function streamed(request) {
  for (let chunk = 0; chunk < 20; chunk++) {
    request.write(`chunk ${chunk};`);
    await new Promise(setImmediate);
  }
  request.addTrailers({ "Lambda-Runtime-Function-Error-Type": "Runtime.Half", "Lambda-Runtime-Function-Error-Body": "aGFsZg==" });
  request.end();
}

for (;;) {
  const next = await call("GET", "/invocation/next", {}, whole());
  const id = next.headers["lambda-runtime-aws-request-id"];
  const event = JSON.parse(next.body);
  const json = { "Content-Type": "application/json" };
  let answer;
  if (event.fail) {
    const body = JSON.stringify({ errorType: "Error", errorMessage: event.fail, trace: [] });
    const headers = { ...json, "Content-Length": Buffer.byteLength(body), "Lambda-Runtime-Function-Error-Type": "Error" };
    answer = await call("POST", `/invocation/${id}/error`, headers, whole(body));
  } else if (event.stream) {
    const headers = {
      "Content-Type": "application/octet-stream",
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      "Transfer-Encoding": "chunked",
      Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    };
    answer = await call("POST", `/invocation/${id}/response`, headers, streamed);
  } else {
    const body = JSON.stringify({ deadline: next.headers["lambda-runtime-deadline-ms"], event });
    answer = await call("POST", `/invocation/${id}/response`, { ...json, "Content-Length": Buffer.byteLength(body) }, whole(body));
  }
  if (answer.status !== 202) throw new Error(`the Runtime API said ${answer.status}`);
}
