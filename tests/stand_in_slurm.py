"""A stand-in for SLURM: ``sbatch`` and its like, which run jobs on this machine at once.

``install(folder)`` writes the commands into ``folder/bin``. Every job is a process group of its
own; what is known of it lies in ``folder/jobs``: its number, its group, its state.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

COMMANDS = ("sbatch", "srun", "sacct", "squeue", "scancel", "scontrol")


def install(folder):
    """Write the commands and return the folder that belongs on the PATH."""
    place = folder / "bin"
    place.mkdir(parents=True)
    (folder / "jobs").mkdir()
    for name in COMMANDS:
        words = map(shlex.quote, (sys.executable, "-S", __file__, str(folder), name))
        (place / name).write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
        (place / name).chmod(0o755)
    return place


def jobs(folder):
    """Return the group and the state of each job by its number."""
    found = {}
    for path in (folder / "jobs").glob("*.pid"):
        group = int(path.read_text())
        alive = Path(f"/proc/{group}/stat").exists() and " Z " not in _stat(group)
        ended = path.with_suffix(".rc")
        state = "RUNNING" if alive else "CANCELLED"
        if ended.exists():
            state = "COMPLETED" if ended.read_text().strip() == "0" else "FAILED"
        found[path.stem] = group, state
    return found


def _stat(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return " Z "


def sbatch(folder, arguments):
    place = next(i for i, word in enumerate(arguments) if not word.startswith("--"))
    script, words = Path(arguments[place]).read_text(), arguments[place + 1 :]
    number = _number(folder)
    # Without SLURM's own commands there is nothing to look at but this.
    (folder / "jobs" / f"{number}.sbatch").write_text(script)
    array = re.search(r"^#SBATCH --array=(\d+)-(\d+)", script, re.MULTILINE)
    for index in range(int(array[1]), int(array[2]) + 1) if array else [None]:
        name = number if index is None else f"{number}_{index}"
        _start(folder, name, number, index, script, words)
    print(f"Submitted batch job {number}")


def _number(folder):
    """Return the number of a new job; of several that are submitted at once each has its own."""
    for count in range(1000):
        number = str(1000 + 100 * count)
        try:
            (folder / "jobs" / f"{number}.sbatch").touch(exist_ok=False)
            return number
        except FileExistsError:
            continue
    raise SystemExit("too many jobs")


def _start(folder, name, number, index, script, words=()):
    more = {} if index is None else {
        "SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": str(index)
    }  # fmt: skip
    environment = {**os.environ, **more, "SLURM_JOB_ID": str(int(number) + (index or 0) + 1)}
    if index is None:
        environment["SLURM_JOB_ID"] = number
    path = folder / "jobs" / f"{name}.sh"
    path.write_text(script)
    command = shlex.join(["bash", str(path), *words])
    ended = shlex.quote(str(path.with_suffix(".rc")))
    log = path.with_suffix(".log").open("wb")
    process = subprocess.Popen(
        ["bash", "-c", f"{command}; echo $? > {ended}"],
        env=environment, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )  # fmt: skip
    path.with_suffix(".pid").write_text(str(process.pid))


def srun(folder, arguments):
    words, files = list(arguments), {}
    while words[0].startswith("--"):
        option = words.pop(0)
        if option in ("--output", "--error"):
            files[option] = words.pop(0)
    array = os.environ.get("SLURM_ARRAY_JOB_ID", "")
    index = os.environ.get("SLURM_ARRAY_TASK_ID", "")
    for option, descriptor in (("--output", 1), ("--error", 2)):
        name = files[option].replace("%A", array).replace("%a", index).replace("%t", "0")
        name = name.replace("%j", os.environ["SLURM_JOB_ID"])
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    os.environ.update(SLURM_PROCID="0", SLURM_LOCALID="0", SLURM_NODEID="0", SLURM_NTASKS="1",
                      SLURM_JOB_NUM_NODES="1", SLURM_JOB_NODELIST="here")  # fmt: skip
    os.execvp(words[0], words)


def sacct(folder, arguments):
    print("JobID|State|NodeList")
    for name, (_, state) in jobs(folder).items():
        print(f"{name}|{state}|here")


def squeue(folder, arguments):
    for name, (_, state) in jobs(folder).items():
        print(f"{name}|{state}|here")


def scancel(folder, arguments):
    for name, (group, state) in jobs(folder).items():
        if state == "RUNNING" and name.partition("_")[0] in arguments:
            os.killpg(group, signal.SIGKILL)


def scontrol(folder, arguments):
    """Requeue: run the job of a number once more, when it has ended."""
    (name,) = [word for word in arguments if word != "requeue"]
    number, _, index = name.partition("_")
    script = (folder / "jobs" / f"{number}.sbatch").read_text()
    _start(folder, name, number, int(index) if index else None, script)


if __name__ == "__main__":
    globals()[sys.argv[2]](Path(sys.argv[1]), sys.argv[3:])
