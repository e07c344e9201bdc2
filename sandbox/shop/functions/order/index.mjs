// POST /orders: checks the order, gives it a number, and puts it into the queue. The shopper's "accepted" means that
// the queue has the order; the payment is taken later.
import { randomUUID } from "node:crypto";

import { SQSClient, SendMessageCommand } from "@aws-sdk/client-sqs";

import { withFaults } from "./faults.mjs";

// The SDK finds its region, its credentials and (for an emulator) AWS_ENDPOINT_URL in the environment.
const sqs = new SQSClient({});

const reply = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

// The order in a request's body, or null when there is none that the shop can sell.
export function readOrder(body) {
  try {
    const { item, amount = 1 } = JSON.parse(body ?? "");
    return typeof item === "string" && item !== "" && Number.isInteger(amount) && amount > 0 ? { item, amount } : null;
  } catch {
    return null;
  }
}

async function placeOrder(event) {
  const text = event.isBase64Encoded ? Buffer.from(event.body ?? "", "base64").toString() : event.body;
  const wanted = readOrder(text);
  if (wanted === null) {
    return reply(400, { error: 'an order looks like {"item": "tea", "amount": 2}' });
  }
  const order = { orderId: randomUUID(), placedAt: new Date().toISOString(), ...wanted };
  await sqs.send(
    new SendMessageCommand({ QueueUrl: process.env.ORDERS_QUEUE_URL, MessageBody: JSON.stringify(order) }),
  );
  return reply(202, { orderId: order.orderId });
}

export const handler = withFaults(placeOrder);
