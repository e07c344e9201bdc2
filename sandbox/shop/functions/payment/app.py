"""Takes the payments of orders: charge, write down, announce.

Every order is handled for itself. One that fails is named in the response, so that the others of its batch are done
with; it comes back when its visibility timeout ends, and after five receives it goes to the dead-letter queue.
"""

import json
import os
import random
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError

# boto3 finds its region, its credentials and (for an emulator) AWS_ENDPOINT_URL in the environment.
dynamodb = boto3.client("dynamodb")
sns = boto3.client("sns")


def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            take_payment(json.loads(record["body"]))
        except Exception as error:  # whatever it is, it must not take the rest of the batch with it
            print(json.dumps({"level": "error", "message": record["messageId"], "error": repr(error)}))
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def take_payment(order):
    order_id, item, amount = order["orderId"], order["item"], order["amount"]
    # The order's number is the provider's idempotency key: an order that comes twice is charged once.
    charge(order_id, amount)
    write_down(order_id, item, amount)
    # Announced again when an order comes again: the topic promises "at least once", never "not at all".
    sns.publish(TopicArn=os.environ["ORDER_EVENTS_TOPIC"], Message=json.dumps({"orderId": order_id, "paid": True}))


def charge(order_id, amount):
    url = os.environ.get("PAYMENT_PROVIDER_URL")
    if not url:
        time.sleep(random.lognormvariate(-2.1, 0.5))  # the pretended provider: 0.12 s, now and then half a second
        return
    request = urllib.request.Request(
        url,
        data=json.dumps({"amount": amount}).encode(),
        headers={"content-type": "application/json", "idempotency-key": order_id},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        response.read()


def write_down(order_id, item, amount):
    try:
        dynamodb.put_item(
            TableName=os.environ["PAYMENTS_TABLE"],
            Item={"orderId": {"S": order_id}, "item": {"S": item}, "amount": {"N": str(amount)}},
            ConditionExpression="attribute_not_exists(orderId)",
        )
    except ClientError as error:
        # Written down already, by an earlier try.
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
