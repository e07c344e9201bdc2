"""Tells customers that their order is paid.

One bad notification fails the whole batch: the handler raises, and the queue shows all of it again. The payment worker
does it better; the difference is what experiments/notifications-poisoned.yaml is about.
"""

import json


def handler(event, context):
    for record in event["Records"]:
        notification = json.loads(record["body"])
        send_mail(notification["orderId"])


def send_mail(order_id):
    # A real shop calls its mail service here. This one writes the line that its tests look for.
    print(json.dumps({"mail": "your order is paid", "orderId": order_id}))
