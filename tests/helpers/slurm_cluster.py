"""A real Slurm of one node on this machine, in a folder of its own; needs no root and no set-up."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
LIMIT = 30.0
"""Seconds that the start may take; far more than it does."""
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """The programs of Slurm that are not installed."""
    return [name for name in (*DAEMONS, "sbatch") if not shutil.which(name, path=PATH)]


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """Start a Slurm; yield the environment variables with which its commands find it."""
    with tempfile.TemporaryDirectory(prefix="slurm") as name, ExitStack() as stack:
        folder = Path(name)  # short, as the path of a socket must be
        for part in ("state", "spool"):
            (folder / part).mkdir()
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        configuration = CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0],
            user=user(),
            ports=free_ports(2),
            folder=folder,
        )
        (folder / "slurm.conf").write_text(configuration)
        environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        files = {
            "key": "munge.key",
            "socket": "munge.socket",
            "pid": "munge.pid",
            "log": "munge.log",
            "seed": "munge.seed",
        }
        options = [
            f"--{option}{'' if option == 'socket' else '-file'}={folder / file}"
            for option, file in files.items()
        ]
        stack.enter_context(daemon(folder, ["munged", "--foreground", "--force", *options]))
        wait_for((folder / "munge.socket").exists, folder)
        stack.enter_context(daemon(folder, ["slurmctld", "-D"], environment))
        stack.enter_context(daemon(folder, ["slurmd", "-D"], environment))
        wait_for(lambda: "idle" in output(["sinfo", "-h", "-o", "%T"], environment), folder)
        try:
            yield environment
        finally:
            output(["scancel", "--me"], environment)
            wait_for(lambda: not output(["squeue", "-h"], environment), folder, 60)


@contextmanager
def daemon(folder: Path, command: list[str], more: dict[str, str] | None = None) -> Iterator[None]:
    """Run a daemon in the foreground; stop it by its process id."""
    program = shutil.which(command[0], path=PATH)
    assert program
    with (folder / f"{command[0]}.out").open("w") as file:
        process = subprocess.Popen(
            [program, *command[1:]], stdout=file, stderr=file, env={**os.environ, **(more or {})}
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def output(command: list[str], environment: dict[str, str]) -> str:
    """The output of a command; empty if it failed."""
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    return "" if ran.returncode else ran.stdout


def wait_for(condition, folder: Path, seconds: float = LIMIT) -> None:
    """Wait until a condition holds; else show the logs of the daemons."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            logs = [f"{path.name}:\n{path.read_text()[-2000:]}" for path in folder.glob("*.log")]
            raise AssertionError("\n".join(logs))
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Numbers of ports that nothing listens to."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def user() -> str:
    """The name of the user whose process this is."""
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
