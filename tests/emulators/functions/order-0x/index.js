// The order function as somebody has it who installed failure-lambda 0.x from npm. It takes every order.
const aws = require("aws-sdk");

// Version 2 of the SDK does not know AWS_ENDPOINT_URL, and on an emulator does not send AWS_SESSION_TOKEN by itself.
aws.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, credentials: new aws.EnvironmentCredentials("AWS") });

const failureLambda = require("failure-lambda");

exports.handler = failureLambda(async () => ({ statusCode: 202, body: "{}" }));
