# SPDX-License-Identifier: Apache-2.0
# 1075-mpirun.t - OpenMPI's mpirun starts its ranks by the file of nodes that a task is given
. "${0%/*}/../lib/spillway.sh"
command -v mpirun >/dev/null && mpirun --version 2>/dev/null | grep -q 'Open MPI' || skip_all "no mpirun of Open MPI"
cat >conf.yaml <<'YAML'
sites:
  - {name: here, type: local, cpus: 2, memory: 1GiB, limits: {workers: 3}}
YAML
broker_start --config conf.yaml

# All nodes are this machine, so that no ssh between them is needed.
cat >job.yaml <<'YAML'
name: ranks
resources: {nodes: 3, cpus: 2, walltime: 2m}
script: |
  #!/bin/sh
  test "$SPILLWAY_NODE_RANK" = 0 || exit 0
  mpirun --allow-run-as-root --hostfile "$SPILLWAY_NODEFILE" \
    sh -c 'echo "rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE"'
YAML
id=$(submit job.yaml)
ok "it ends well" 'wait_state "$id" succeeded --limit 120'
is "a rank for each cpu of its nodes, once" "$(spillway logs "$id" | grep '^rank' | sort)" "$(seq 0 5 | sed 's/.*/rank & of 6/')"
is "the other nodes have nothing to say" "$(spillway logs --node 1 "$id" | grep -c rank)" 0

sed 's/sh -c .*/sh -c "exit \\$(( OMPI_COMM_WORLD_RANK == 5 ? 7 : 0 ))"/' job.yaml >fails.yaml
id=$(submit fails.yaml)
ok "a rank that fails fails the task" 'wait_state "$id" failed --limit 120'
is "  with its exit code" "$(field "$id" reason) $(field "$id" exit_code)" "user-exit 7"
done_testing
