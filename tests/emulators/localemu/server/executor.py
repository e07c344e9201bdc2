"""Runs Lambda functions as processes, where LocalEmu would start a container for each.

An execution environment is a process in a mount namespace of its own, with the code at /var/task and the layers at /opt,
as on AWS, and a server of the Lambda Runtime API for it
(https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). AWS_LAMBDA_EXEC_WRAPPER is honoured. Python only.
"""

import atexit
import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import localemu.services.lambda_.invocation.runtime_executor as runtime_executor
from localemu import config
from localemu.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localemu.services.lambda_.invocation.lambda_models import InvocationResult
from localemu.services.lambda_.invocation.layer_mounter import prepare_merged_opt

TASK = Path("/var/task")
NO_LAYERS = Path(tempfile.mkdtemp(prefix="no-layers-"))
# A runtime that does not ask for work after so many seconds is broken: AWS's limit of the init phase.
INIT_SECONDS = 10
IN_NAMESPACE = """
mount --bind "$CODE" /var/task && mount --bind "$LAYERS" /opt || exit 97
unset CODE LAYERS
cd /var/task
exec $AWS_LAMBDA_EXEC_WRAPPER "$@"
"""


def install():
    """Makes LocalEmu run functions this way."""
    if not TASK.exists():
        TASK.mkdir(parents=True)
        atexit.register(remove, TASK)
    runtime_executor.EXECUTOR_PLUGIN_MANAGER = OnlyProcesses


class OnlyProcesses:
    """A registry of kinds of executors that knows one."""

    @staticmethod
    def exists(name):
        return True

    @staticmethod
    def load(name=None):
        return OnlyProcesses if name else ProcessExecutor


def remove(folder):
    with contextlib.suppress(OSError):
        folder.rmdir()


class RuntimeApi(ThreadingHTTPServer):
    """The Runtime API of one execution environment, and what is under way in it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), RuntimeApiHandler)
        self.ready = Future()
        self.work = queue.Queue()
        self.answers = {}
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def renew(self):
        """Forgets the process before."""
        self.ready, self.work = Future(), queue.Queue()

    def end(self, body):
        """The process is gone: `body` is the error of whatever it was doing."""
        if not self.ready.done():
            self.ready.set_exception(StatusErrorException("the runtime did not start", payload=body))
        for answer in self.answers.values():
            settle(answer, (True, body))


def settle(future, value):
    if not future.done():
        future.set_result(value)


class RuntimeApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args):
        pass

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", 0) or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if not self.path.endswith("/runtime/invocation/next"):
            return self.answer(404)
        settle(self.server.ready, None)
        headers, body = self.server.work.get()
        self.answer(200, body, headers)

    def do_POST(self):
        body = self.body()
        told = re.search(r"/runtime/invocation/([^/]+)/(response|error)$", self.path)
        if told and told[1] in self.server.answers:
            settle(self.server.answers[told[1]], (told[2] == "error", body))
        elif self.path.endswith("/runtime/init/error"):
            self.server.end(body)
        elif not told:
            return self.answer(404)
        self.answer(202, b'{"status":"OK"}', {"Content-Type": "application/json"})


class ProcessExecutor(runtime_executor.RuntimeExecutor):
    """One execution environment. It takes one invocation at a time, and starts anew after a crash or a time-out."""

    def __init__(self, id, function_version):
        super().__init__(id, function_version)
        self.process = None
        self.api = None
        self.environment = {}
        self.lines = []
        self.busy = threading.Lock()

    def start(self, env_vars):
        self.environment = {name: str(value) for name, value in env_vars.items()}
        self.api = RuntimeApi()
        try:
            self.start_process()
        except BaseException:
            self.stop()
            raise

    def start_process(self):
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        environment = {
            "PATH": "/opt/bin:" + os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "en_US.UTF-8",
            "HOME": tempfile.gettempdir(),
            "PYTHONPATH": f"/opt/python:/opt/python/lib/{python}/site-packages",
            **self.environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_address[1]}",
            "CODE": str(self.function_version.config.code.get_unzipped_code_location()),
            "LAYERS": str(self.layers()),
        }
        self.api.renew()
        runtime = [sys.executable, "-m", "awslambdaric", self.environment["_HANDLER"]]
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_NAMESPACE, "sh", *runtime],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=self.watch, args=(self.process,), daemon=True).start()
        try:
            self.api.ready.result(timeout=INIT_SECONDS)
        except TookTooLong as error:
            self.kill()
            raise Exception("the runtime did not start: " + "".join(self.lines[-20:])) from error

    def layers(self):
        layers = prepare_merged_opt(self.function_version)
        # LocalEmu's cache of layers loses the right to execute.
        for file in layers.rglob("*") if layers else []:
            if file.is_file():
                file.chmod(0o755)
        return layers or NO_LAYERS

    def watch(self, process):
        """Collects what a process prints, and tells of its end unless it was meant to end."""
        for line in process.stdout:
            self.lines.append(line.decode("utf-8", "replace"))
        status = process.wait()
        if process is self.process:
            self.process = None
            why = f"exit status {status}" if status >= 0 else f"signal: {signal.Signals(-status).name.lower()}"
            message = f"RequestId: {uuid.uuid4()} Error: Runtime exited with error: {why}"
            self.api.end(json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode())

    def kill(self):
        process, self.process = self.process, None
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def stop(self):
        self.kill()
        if self.api:
            self.api.shutdown()
            self.api.server_close()

    def invoke(self, payload, function_timeout=None):
        request, seconds = payload["invoke-id"], float(function_timeout or 3)
        with self.busy:
            if self.process is None:
                self.start_process()
            printed, began = len(self.lines), time.time()
            answer = self.api.answers[request] = Future()
            headers = {
                "Lambda-Runtime-Aws-Request-Id": request,
                "Lambda-Runtime-Deadline-Ms": str(int((began + seconds) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": payload["invoked-function-arn"],
                "Lambda-Runtime-Trace-Id": payload.get("trace-id") or "",
                "Content-Type": "application/json",
            }
            self.api.work.put((headers, (payload["payload"] or "{}").encode()))
            try:
                is_error, body = answer.result(timeout=seconds)
            except TookTooLong:
                self.kill()
                message = f"RequestId: {request} Error: Task timed out after {seconds:.2f} seconds"
                is_error, body = True, json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}).encode()
            finally:
                del self.api.answers[request]
            return InvocationResult(request, body, is_error, self.log(request, printed, time.time() - began))

    def log(self, request, printed, seconds):
        memory, millis = self.function_version.config.memory_size, seconds * 1000
        report = f"Duration: {millis:.2f} ms\tBilled Duration: {int(millis) + 1} ms\tMemory Size: {memory} MB"
        lines = "".join(self.lines[printed:])
        return f"START RequestId: {request} Version: $LATEST\n{lines}END RequestId: {request}\nREPORT RequestId: {request}\t{report}"

    def get_logs(self):
        return "".join(self.lines)

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_none"

    @classmethod
    def prepare_version(cls, function_version):
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass
