"""JSONata in Step Functions, which LocalEmu 1.3.2 recognises and refuses to evaluate: evaluated by jsonata-python."""

import jsonata
from localemu.services.stepfunctions.asl.jsonata import jsonata as states


def install():
    """Patches LocalEmu."""
    states.eval_jsonata_expression = evaluate


def evaluate(expression):
    """The value of an expression; what it cannot be evaluated for is an error of the state, as on AWS."""
    try:
        return plain(jsonata.Jsonata(expression).evaluate(None))
    except Exception as error:
        raise states.JSONataException(getattr(error, "error", None) or type(error).__name__, str(error)) from error


def plain(value):
    """Lists and objects of jsonata-python as Python has them."""
    if isinstance(value, dict):
        return {key: plain(inside) for key, inside in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inside) for inside in value]
    return value
