"""Compares each AWS call of the state machine in template.json with the API models of botocore."""

import json
import pathlib
import re
import sys

import botocore.session

template = json.loads((pathlib.Path(__file__).parent / "template.json").read_text())
machine = json.loads(template["Resources"]["StateMachine"]["Properties"]["DefinitionString"])
session = botocore.session.get_session()
wrong, checked = [], 0


def is_expression(value):
    return isinstance(value, str) and value.startswith("{%")


def fits(where, value, shape):
    """Whether a static value has the type of its shape. What an expression gives is not known here."""
    if is_expression(value):
        return
    types = {"structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int}
    if not isinstance(value, types[shape.type_name]):
        wrong.append(f"{where}: {value!r} is no {shape.type_name}")
    elif shape.type_name == "structure":
        for name, part in value.items():
            if name not in shape.members:
                wrong.append(f"{where}: there is no {name}")
            else:
                fits(f"{where}.{name}", part, shape.members[name])
        for name in shape.required_members:
            if name not in value:
                wrong.append(f"{where}: {name} is missing")
    elif shape.type_name == "map":
        for name, part in value.items():
            fits(f"{where}.{name}", part, shape.value)
    elif shape.type_name == "list":
        for part in value:
            fits(where, part, shape.member)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        wrong.append(f"{where}: {value} is none of {shape.enum}")


def there(where, path, shape):
    """Whether what an expression reads is in a result."""
    for name in path.split("."):
        if shape.type_name == "map":
            shape = shape.value
        elif shape.type_name == "structure" and name in shape.members:
            shape = shape.members[name]
        else:
            return wrong.append(f"{where}: there is no {name} in what is read as {path}")


def check(states):
    global checked
    for name, state in states.items():
        if state["Type"] == "Map":
            check(state["ItemProcessor"]["States"])
        if state["Type"] != "Task":
            continue
        checked += 1
        service, operation = state["Resource"].split(":")[-2:]
        model = session.get_service_model(service)
        called = operation[0].upper() + operation[1:]
        if called not in model.operation_names:
            wrong.append(f"{name}: {service} has no {called}")
            continue
        operation = model.operation_model(called)
        fits(name, state["Arguments"], operation.input_shape)
        for path in re.findall(r"\$states\.result\.([A-Za-z.]+)", json.dumps(state.get("Assign", {}))):
            there(name, path, operation.output_shape)
        errors = {f"{service.capitalize()}.{shape.name}" for shape in operation.error_shapes}
        for handler in state["Catch"]:
            for error in handler["ErrorEquals"]:
                # Step Functions takes the names of the Java SDK, which end in `Exception`.
                if error != "States.ALL" and not errors & {error, error.removesuffix("Exception")}:
                    wrong.append(f"{name}: {called} has no error {error}: {sorted(errors)}")


check(machine["States"])
print(f"{checked} calls", *wrong, sep="\n")
sys.exit(1 if wrong or checked < 10 else 0)
