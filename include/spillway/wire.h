/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - what broker and agent say to each other: HTTP/1.1 with JSON bodies.
 *
 * Every call but the join bears `Authorization: Bearer SESSION`.  Times are ms since 1970 UTC by the
 * sender's clock and are for display; spans are ms.  Unknown fields are ignored, so that either side may
 * be newer.  Bodies above WIRE_BODY_MOST are refused with 413.
 *
 *   POST /v1/agent/join
 *   -> {"worker": NAME, "token": JOIN-TOKEN, "version": "0.1.0",
 *       "facts": {"cpus": 8, "memory_bytes": N, "disk_bytes": N, "kernel": "6.1.0", "hostname": "…", "address": "…", "uptime_ms": N, "age_ms": N,
 *                 "arch": "x86_64", "cgroup": "v2"|"v1"|"none",
 *                 "gpus": [{"model": "…", "memory_bytes": N, "id": "…"}]}}
 *   <- {"session": TOKEN, "epoch": "…", "heartbeat_ms": N, "lease_ttl_ms": N, "orphan_ms": N}
 *      The token dies at its first use.  An agent that repeats a join whose answer it lost sends the
 *      same token within WIRE_JOIN_AGAIN_MS and the same "nonce": "…" (random, 32 hex digits).
 *
 *   POST /v1/agent/sync
 *   -> {"epoch": "…",        the broker's life that the agent knows; a new one is told by the answer
 *       "ack": N,            the last `seq` the agent took in (0 at first)
 *       "wait_ms": N,        how long the broker may hold the call; 0: answer at once
 *       "held": [ATTEMPT…],  only in the first sync of an epoch: all attempts the agent has (not settled)
 *       "reports": [REPORT…],
 *       "queued": N, "running": N,
 *       "leaving": "preempted"|"signal"   the worker is being taken away; optional
 *       "grace_ms": N}
 *   <- {"epoch": "…", "seq": N,
 *       "leases": [LEASE…],  numbered with the cancels by `seq`; sent again until acknowledged, so the
 *                            agent drops an attempt id it already has
 *       "cancel": [{"attempt": ID, "reason": "cancelled"|"deadline"|"fenced"}…],
 *       "settled": [ID…],    final reports that are now on the broker's disk, or refused for good: the
 *                            agent forgets the attempt and removes its directory
 *       "drain": true,       take no new lease; give unstarted ones back (report "returned")
 *       "exit": true}        nothing more to do: end
 *      An agent may have two syncs in flight: one held open by wait_ms, one that carries reports.
 *
 *   REPORT
 *      {"attempt": ID, "state": "running", "started": MS}
 *      {"attempt": ID, "state": "completing"}
 *      {"attempt": ID, "state": "returned"}            not started, taken back by a drain or "leaving"
 *      {"attempt": ID, "state": "finished",
 *       "reason": "" | "user-exit" | "signal" | "walltime" | "memory" | "cancelled" | "stage-in" |
 *                 "stage-out" | "preempted" | "image" | "network" | "lost",
 *       "detail": "one sentence for a person", "exit_code": N (absent unless it exited), "signal": N,
 *       "started": MS, "finished": MS, "wall_ms": N, "cpu_ms": N, "max_rss_bytes": N,
 *       "logs": {"stdout": {"size": N, "sha256": "…", "cut": N, "data": BASE64 | absent},
 *                "stderr": {…}},
 *                 a log of up to WIRE_LOG_INLINE bytes comes as "data" (left out when size is 0);
 *                 a larger one was uploaded before.  "cut": bytes beyond the log limit, not kept
 *       "outputs": [{"path": "results/a.vcf.gz", "size": N, "sha256": "…", "mode": 420}…]}  uploaded before
 *      Sent again until settled.  A report of an attempt that is not current is settled and recorded as
 *      stale, and changes nothing.
 *
 *   LEASE
 *      {"attempt": ID, "number": 1 for the first, "task": "1234.7", "job": 1234, "index": 7, "name": "…", "project": "…", "user": "…",
 *       "argv": ["./call.sh", "7"] | "script": "#!/bin/sh\n…" (then "argv", if any, follows its name),
 *       "workdir": "/home/ann/run" | absent: a directory of the agent's; with it "stdout", "stderr":
 *                  files that output goes to (absent: the log), "append": true | absent,
 *       "environment": ["NAME=value"…],
 *       "inputs": [{"to": PATH, "sha256": "…", "size": N, "mode": N, "url": "https://…" | absent}…]
 *                  absent url: GET /v1/blobs/{sha256}
 *       "outputs": [GLOB…], "cpus": N, "memory_bytes": N, "disk_bytes": N, "gpus": N,
 *       "walltime_ms": N, "signal": N, "signal_before_ms": N, "grace_ms": N,
 *       "log_most": BYTES, "output_most": BYTES, "container": "…" | absent,
 *       "rank": N, "nodes": [{"host": "…", "cpus": N}…]    of a task that runs on several workers: which
 *                  node this is, and where all of them are, rank 0 first; else absent}
 *      Absent numbers are 0: not limited.
 *
 *   PUT /v1/attempts/{id}/log/{stdout|stderr}?offset=N      body: bytes from there on; <- {"size": N}
 *      409 with {"size": N} when N is not what the broker has.
 *   PUT /v1/attempts/{id}/outputs/{path}?offset=N&size=TOTAL&sha256=…   resumable likewise; the last piece
 *      is answered 201 once hash and size agree, 422 when they do not (start again at 0).
 *      HEAD of the same path: "Upload-Offset: N".  Content the broker already has is 201 at once.
 *   GET /v1/blobs/{sha256}    with Range; only what this worker's attempts name as inputs.
 *   GET /v1/agent/binary/{arch}   the agent itself, with "Spillway-Agent-Sha256"; with a join token that was
 *      not used yet, or a session.  Range works.
 */
#ifndef SPILLWAY_WIRE_H
#define SPILLWAY_WIRE_H

#define WIRE_VERSION       1
#define WIRE_BODY_MOST     (8 * 1024 * 1024)
#define WIRE_PIECE_MOST    (4 * 1024 * 1024) /* of a log or an output, in one PUT */
#define WIRE_LOG_INLINE    4096
#define WIRE_REPORTS_MOST  1000 /* in one sync */
#define WIRE_LEASES_MOST   1000 /* in one answer */
#define WIRE_JOIN_AGAIN_MS 60000
#define WIRE_OUTPUTS_MOST  10000 /* files of one attempt */

#endif
