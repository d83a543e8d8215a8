#!/usr/bin/env bash
# Faults on a Slurm of two nodes: bash tests/slurm.sh target/release/examples/luminosity
# Runs examples/slurm/sweep.sbatch as an array over one store, kills a node, requeues, preempts and cancels
# tasks and lets their time run out. In the end the store must be that of one process without Slurm.
# Takes some minutes, as root, on Linux with Slurm and Munge (Debian: slurmctld, slurmd, slurm-client, munge).
# Both nodes are on this machine, each in a namespace of its own; nothing outside a scratch folder is touched.
set -euo pipefail
luminosity=$(realpath "$1")
cd "$(dirname "$0")/.."
for program in slurmctld slurmd sbatch munged unshare; do
    command -v $program >/dev/null || { echo "slurm: not run, as there is no $program"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "slurm: not run, as this is not root"; exit 0; }
scratch=$(mktemp -d)
chmod 755 "$scratch" # Munge wants to be reached.
declare -A node

fail() { echo "slurm: FAILED: $*"; exit 1; }
say() { printf '%4ss  %s\n' $SECONDS "$*"; }

finish() {
    local code=$?
    [ $code = 0 ] || tail -n 15 "$scratch"/*.log || true
    kill -9 "${node[@]}" 2>/dev/null || true # With a node, all that runs on it ends.
    for daemon in slurmctld munged; do
        [ ! -e "$scratch/$daemon.pid" ] || kill "$(cat "$scratch/$daemon.pid")" || true
    done
    sleep 2
    rm -rf "$scratch"
}
trap finish EXIT

# start_node NAME: a slurmd that has its own processes and its own host name.
start_node() {
    unshare --fork --pid --kill-child=KILL --mount-proc --uts \
        bash -c "hostname $1 && exec slurmd -D -N $1" >>"$scratch/$1.log" 2>&1 &
    node[$1]=$!
    disown
}

# until_so SECONDS COMMAND...: waits until the command succeeds.
until_so() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "waited in vain: $*"
        sleep 0.3
    done
}

field() { scontrol -o show job "${array}_$1" | tr ' ' '\n' | sed -n "s/^$2=//p"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
logged() { [ "$(grep -c "$2" "$scratch/task-$1.log")" = "$3" ]; } 2>/dev/null

# started TASK TIMES: waits until a task was started so many times, and is in the middle of a run.
started() {
    until_so 90 logged "$1" "1 at a time" "$2"
    sleep 2
    is "$1" JobState RUNNING || fail "task $1 is $(field "$1" JobState), not in the middle: more EPOCHS"
    say "task $1 is at work on $(field "$1" BatchHost), start $2; $(records) records"
}

# interrupted TASK TIMES: waits until the program said so many times that it was interrupted.
interrupted() { until_so 60 logged "$1" "^interrupted: " "$2"; }
records() { find "$scratch/store/runs" -name "*.json" | wc -l; }
# Claims whose lock nobody holds: of programs that were killed.
dead_claims() { find "$scratch/store/runs" -name "*.claim" -exec flock --nonblock {} echo {} \; | wc -l; }
submit() {
    array=$(SWEEP="$sweep" STORE="$scratch/store" LUMINOSITY="$luminosity" sbatch --parsable --array=1-2 \
        --cpus-per-task=1 --output="$scratch/task-%a.log" "$@" examples/slurm/sweep.sbatch)
    say "submitted the array $array: ${*:-with the time limit of the file}"
}

cat >"$scratch/slurm.conf" <<CONF
ClusterName=trial
SlurmctldHost=localhost
SlurmctldPort=26817
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmctldLogFile=$scratch/slurmctld.log
SlurmUser=root
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool-%n
SlurmdPidFile=$scratch/%n.pid
# Nodes are soon missed and jobs soon started again: a real cluster takes minutes.
AuthInfo=socket=$scratch/munge.socket,cred_expire=5
SlurmdTimeout=10
SchedulerParameters=bf_interval=2,sched_interval=5
ReturnToService=2
# Nothing here needs control groups.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=26821 CPUs=2
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=26822 CPUs=2
PartitionName=low Nodes=n1,n2 PriorityTier=1 LLN=YES Default=YES
PartitionName=high Nodes=n1,n2 PriorityTier=2
CONF
export SLURM_CONF=$scratch/slurm.conf

sweep="--conditions ln+,inorm --settings 3 --seeds 4 --width 50 --epochs ${EPOCHS:-8}"
"$luminosity" sweep $sweep --out "$scratch/alone" 2>/dev/null
say "made the store of one process without Slurm"

mkdir "$scratch/state"
head -c 128 /dev/urandom >"$scratch/munge.key"
chmod 600 "$scratch/munge.key"
munged --force --key-file="$scratch/munge.key" --socket="$scratch/munge.socket" --seed-file="$scratch/munge.seed" \
    --pid-file="$scratch/munged.pid" --log-file="$scratch/munged.log"
slurmctld -c
start_node n1
start_node n2
idle() { [ "$(sinfo -h -t idle -o %D)" = 2 ]; }
until_so 60 idle
say "$(slurmctld -V), two nodes are idle"

submit
started 1 1
started 2 1
! is 2 BatchHost "$(field 1 BatchHost)" || fail "both tasks are on one node"

lost=$(field 1 BatchHost)
kill -9 "${node[$lost]}"
sleep 1
[ "$(dead_claims)" = 1 ] || fail "$(dead_claims) claims were left, not one"
say "killed $lost and all that ran there; a claim is left"
until_so 120 is 1 Restarts 1
started 1 2
! is 1 BatchHost "$lost" || fail "task 1 is on the node that was killed"
start_node "$lost"

scontrol requeue "${array}_2"
interrupted 2 1
say "requeued task 2: it ended in order"
started 2 2

sbatch --wait --partition=high --nodes=2 --exclusive --output=/dev/null --wrap "sleep 1" >"$scratch/high.log"
interrupted 1 1
interrupted 2 2
say "preempted both by a job of a higher partition: they ended in order"
started 1 3
started 2 3

scancel "${array}_2"
until_so 60 is 2 JobState CANCELLED
interrupted 2 3
say "cancelled task 2: it ended in order"
scancel "${array}_1"
interrupted 1 2

submit --time=1 --signal=B:TERM@30
started 1 4
started 2 4
interrupted 1 3
interrupted 2 4
until_so 30 is 1 ExitCode 130:0
until_so 30 is 2 ExitCode 130:0
[ "$(dead_claims)" = 0 ] || fail "a claim was left"
say "the time ran out: both ended in order, with 130; $(records) records"

submit --dependency="afterany:$array"
until_so 600 is 1 JobState COMPLETED
until_so 600 is 2 JobState COMPLETED
for task in 1 2; do tail -n 1 "$scratch/task-$task.log"; done
python3 tests/same_store.py "$scratch/alone" "$scratch/store"
for store in alone store; do "$luminosity" report "$scratch/$store" --out "$scratch/report-$store" &>/dev/null; done
for table in statistics effects verdicts; do diff "$scratch"/report-{alone,store}/$table.csv; done
say "the store and its report are those of one process"

PARTS=2 submit --array=2
until_so 60 is 2 JobState COMPLETED
logged 2 "^complete: " 2 || fail "task 2 by itself"
say "task 2 by itself found all of its part done"
