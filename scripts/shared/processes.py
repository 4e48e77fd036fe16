"""Processes that run beside a script and end with it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import socket
import subprocess
import time

from .environment import Environment
from .failure import Failure
from .paths import ROOT


@contextmanager
def running(
    command: Sequence[str], environment: Environment, output: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of an environment for the time of the block, then end it.

    All that it prints goes to the file `output`. It has a process group of its own:
    Ctrl-C reaches the script alone, which then ends the process in an orderly way.
    """
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment.variables(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with what it has started; it has 20 s to end by itself."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(
    is_ready: Callable[[], bool],
    process: subprocess.Popen[bytes],
    name: str,
    output: Path,
    *,
    seconds: float = 90,
) -> None:
    """Wait until `is_ready` says so; a request that fails counts as no.

    Raises `Failure` with the last line of `output` when the process ends before that,
    or is not ready within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        try:
            if is_ready():
                return
        except (Failure, OSError):
            pass
        if time.monotonic() > deadline:
            raise Failure(f"{name} is not ready after {seconds:.0f} s")
        time.sleep(0.1)
    raise ended(process, name, output)


def ended(process: subprocess.Popen[bytes], name: str, output: Path) -> Failure:
    """Return what to raise when a process has ended that should be running."""
    text = output.read_text(errors="replace").rstrip()
    last = text.rpartition("\n")[2] or "no output"
    return Failure(f"{name} has ended with code {process.returncode}: {last}")


def usable_port(port: int, option: str) -> int:
    """Return `port`, or a free one for 0; raises `Failure` when it is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Failure(
                f"port {port} cannot be used ({reason}): choose another with {option}"
            ) from None
        return int(probe.getsockname()[1])
