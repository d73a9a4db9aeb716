#!/bin/bash
# A run in 16 shards where no service may run: no scheduler, no driver, one store a job.
#   jobs=$(sbatch --parsable examples/job.sh)
#   sbatch --dependency=afterok:$jobs --wrap "robustness-proxies store merge \
#       runs/cifar10.*-of-16.sqlite --out runs/cifar10.sqlite"
# A job that is preempted or runs out of time keeps what it had finished: submit it again.
#SBATCH --job-name=proxies
#SBATCH --array=1-16
#SBATCH --time=02:00:00
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --signal=TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append

export OMP_NUM_THREADS=1

# exec: the signal a minute before the end reaches the command, which ends with all that is done.
exec robustness-proxies compute --archs all --images "${IMAGES:-cifar10}" \
    --shard "${SLURM_ARRAY_TASK_ID}/16" --workers "${SLURM_CPUS_PER_TASK:-1}" "$@"
