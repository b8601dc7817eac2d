"""Submits a text, waits for it and reads it, with the client that was generated from the reference."""

import sys

from copydesk_client import AuthenticatedClient
from copydesk_client.api.generations import get_generation
from copydesk_client.api.jobs import generate, get_job
from copydesk_client.models import GenerateRequest, Generation, Job, JobStatus, Problem

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], timeout=70)

job = generate.sync(client=client, body=GenerateRequest(business_id="company_123", topic="AI in Healthcare"))
assert isinstance(job, Job), job
for _ in range(20):
    if job.finished_at is not None:
        break
    job = get_job.sync(client=client, id=job.id, wait=10)
    assert isinstance(job, Job), job
assert job.status == JobStatus.SUCCEEDED and job.generation_id is not None, job

text = get_generation.sync(client=client, id=job.generation_id)
assert isinstance(text, Generation) and len(text.content) > 100, text

refused = generate.sync(client=client, body=GenerateRequest(business_id="company_123", topic=""))
assert isinstance(refused, Problem) and refused.errors[0].pointer == "/topic", refused

print(f"{len(text.content)} characters: {text.title}")
