"""Celery's side of the peers: the tasks, and the settings that its docs advise for throughput."""

import os

from celery import Celery

app = Celery("peer", broker=os.environ["REDIS_URL"])
app.conf.update(
    # No result is read: Celery's docs advise not to keep one.
    task_ignore_result=True,
    # Many messages are taken ahead, as the docs advise for short tasks. A task is acknowledged
    # before it runs (the default): one whose worker dies is lost, which Copydesk's queue never does.
    worker_prefetch_multiplier=128,
    # Nobody watches.
    worker_send_task_events=False,
    task_send_sent_event=False,
    broker_connection_retry_on_startup=True,
)


@app.task
def generate(job_id):
    """Is never run here: only its acceptance is measured."""


@app.task
def noop():
    """Does nothing."""
