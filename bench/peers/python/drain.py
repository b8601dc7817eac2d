"""Celery: adds tasks that do nothing, then runs them all. Prints the seconds of both as JSON.

python drain.py <tasks>; REDIS_URL says where Redis is. Draining is timed from the first task that is
taken: a worker's start is not counted.
"""

import json
import os
import subprocess
import sys
import time

import redis

from tasks import app, noop

LONGEST_S = 120


def main():
    tasks = int(sys.argv[1])
    # Celery has no batches: a task is a round trip, on one connection that is kept.
    began = time.monotonic()
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(tasks):
            noop.apply_async(producer=producer)
    pushing = time.monotonic() - began

    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--loglevel", "error"]
    # A process a core; and nothing between workers, of which there is one.
    command += ["--pool", "prefork", "--concurrency", str(os.cpu_count())]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = subprocess.Popen(command, stdout=sys.stderr)
    try:
        draining = drained(redis.Redis.from_url(os.environ["REDIS_URL"]), tasks, worker)
    finally:
        worker.terminate()
        worker.wait(timeout=30)
    print(json.dumps({"pushing": pushing, "draining": draining}))


def drained(server, tasks, worker):
    """Seconds from the first task taken until none is queued and none is unacknowledged."""
    began, give_up = None, time.monotonic() + LONGEST_S
    while time.monotonic() < give_up and worker.poll() is None:
        queued, unacknowledged = server.llen("celery"), server.hlen("unacked")
        if began is None and queued < tasks:
            began = time.monotonic()
        if queued == 0 and unacknowledged == 0:
            return time.monotonic() - began
        time.sleep(0.01)
    raise SystemExit("Celery did not drain its queue")


main()
