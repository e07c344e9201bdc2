"""GetFunction shows a reserved concurrency of 0, which LocalEmu takes for none."""

import functools

from localemu.services.lambda_.provider import LambdaProvider


def install():
    """Patches LocalEmu."""
    get_function = LambdaProvider.get_function

    @functools.wraps(get_function)
    def with_reservation(self, context, function_name, *rest, **more):
        found = get_function(self, context, function_name, *rest, **more)
        reserved = self.get_function_concurrency(context, function_name).get("ReservedConcurrentExecutions")
        if reserved is not None:
            found["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
        return found

    LambdaProvider.get_function = with_reservation
