"""Deploys template.json in an emulator of AWS and runs its state machine there.

Usage: python3 emulator.py ENDPOINT; it needs botocore, and a fresh LocalEmu with the JSONata of its patches: plain LocalEmu has none.
Its JSONata takes no text with quotation marks in a variable, so flags in documents are left to check.mjs.
"""

import io
import json
import pathlib
import sys
import time
import zipfile

import botocore.session

ACCOUNT, REGION = "000000000000", "eu-west-1"
session = botocore.session.get_session()


def client(service):
    return session.create_client(service, region_name=REGION, endpoint_url=sys.argv[1], aws_access_key_id="test",
                                 aws_secret_access_key="test")


cfn, ssm, sqs, lam, sfn, sns, iam = map(client, ["cloudformation", "ssm", "sqs", "lambda", "stepfunctions", "sns", "iam"])
template = json.loads((pathlib.Path(__file__).parent / "template.json").read_text().replace("111122223333", ACCOUNT))
machine = template["Resources"]["StateMachine"]["Properties"]
# An emulator's key protects nothing.
machine.pop("EncryptionConfiguration")
policies = template["Resources"]["Role"]["Properties"]["Policies"]
for policy in policies:
    statements = policy["PolicyDocument"]["Statement"]
    policy["PolicyDocument"]["Statement"] = [one for one in statements if "kms:Decrypt" not in one["Action"]]


def deploy():
    cfn.create_stack(StackName="squall-dead-man", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"])
    while (stack := cfn.describe_stacks(StackName="squall-dead-man")["Stacks"][0])["StackStatus"].endswith("IN_PROGRESS"):
        time.sleep(0.2)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return {}\n")
    lam.create_function(FunctionName="pay", Runtime="python3.12", Handler="index.handler", Code={"ZipFile": code.getvalue()},
                        Role=f"arn:aws:iam::{ACCOUNT}:role/pay", Environment={"Variables": {"SECRET": "hunter2"}})
    sqs.create_queue(QueueName="orders", Attributes={"DelaySeconds": "300"})


def lock(name, run="run-1"):
    ssm.put_parameter(Name=f"/squall/marks/{name}", Type="String", Value=json.dumps({"run": run}), Overwrite=True)


def locked(name):
    try:
        return bool(ssm.get_parameter(Name=f"/squall/marks/{name}"))
    except ssm.exceptions.ParameterNotFound:
        return False


def execute(name, *resources):
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    work = [{"resource": resource, "unlock": True, "changes": changes} for resource, changes in resources]
    arn = sfn.start_execution(
        stateMachineArn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:squall-dead-man", name=name,
        input=json.dumps({"run": "run-1", "until": until, "resources": work}))["executionArn"]
    for _ in range(1200):
        found = sfn.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            break
        time.sleep(0.1)
    if found["status"] != "SUCCEEDED":
        history = sfn.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        print(*[json.dumps(one, default=str)[:400] for one in history[-12:]], sep="\n")
        raise SystemExit(f"{name}: {found['status']} {found.get('error')} {found.get('cause')}")
    history = json.dumps(sfn.get_execution_history(executionArn=arn, maxResults=1000), default=str)
    return {one["resource"]: one["ends"] for one in json.loads(found["output"])["resources"]}, history


THROTTLE = {"setting": "reserved_concurrency", "before": {}, "after": {"value": 0}}
DELAY = {"setting": "queue_delay", "before": {"value": 5}, "after": {"value": 300}}


def reserved():
    return lam.get_function_concurrency(FunctionName="pay").get("ReservedConcurrentExecutions")


def delay():
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"]


def check(what, *pairs):
    for found, expected in pairs:
        assert found == expected, f"{what}: {found!r}, not {expected!r}"
    print("ok   ", what, flush=True)


deploy()
for name in ["function/pay", "queue/orders"]:
    lock(name)
lam.put_function_concurrency(FunctionName="pay", ReservedConcurrentExecutions=0)
ends, history = execute("all", ("function pay", [THROTTLE]), ("queue orders", [DELAY]))
check("everything is rolled back", (set(ends.values()), {"restored"}), (reserved(), None), (delay(), "5"),
      ([locked(name) for name in ["function/pay", "queue/orders"]], [False] * 2),
      ("hunter2" in history, False))

lam.put_function_concurrency(FunctionName="pay", ReservedConcurrentExecutions=0)
check("without a lock nothing is written", (execute("unlocked", ("function pay", [THROTTLE]))[0]["function pay"], "unlocked"),
      (reserved(), 0))
lock("function/pay", "run-2")
check("another run's fault stays", (execute("other", ("function pay", [THROTTLE]))[0]["function pay"], "other_run"),
      (reserved(), 0))
lock("function/pay")
lam.put_function_concurrency(FunctionName="pay", ReservedConcurrentExecutions=3)
check("a third party's value stays", (execute("theirs", ("function pay", [THROTTLE]))[0]["function pay"], "theirs"),
      (reserved(), 3), (locked("function/pay"), True))
lam.delete_function_concurrency(FunctionName="pay")
check("what is as before is unlocked", (execute("before", ("function pay", [THROTTLE]))[0]["function pay"], "already_before"),
      (locked("function/pay"), False))
