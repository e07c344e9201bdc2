"""Starts LocalEmu 1.3.2 with functions as processes of this machine: no container engine is needed.

    GATEWAY_LISTEN=127.0.0.1:PORT python launch.py

Needs Python 3.13 or newer (its CloudWatch asks for `warnings.deprecated`), Linux, and root: a function has a mount namespace of its own.
"""

from twisted.internet import endpoints

# LocalEmu listens everywhere, whatever host GATEWAY_LISTEN names.
_listen = endpoints.TCP4ServerEndpoint.__init__


def _listen_locally(self, reactor, port, backlog=50, interface="127.0.0.1"):
    _listen(self, reactor, port, backlog, "127.0.0.1")


endpoints.TCP4ServerEndpoint.__init__ = _listen_locally

import executor
import machines
import metrics
import reservations

executor.install()
machines.install()
metrics.install()
reservations.install()

if __name__ == "__main__":
    from localemu.runtime.main import main

    main()
