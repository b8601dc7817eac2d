"""FastAPI + Celery + Postgres: commits a row, tells Celery, answers 202."""

import os
import uuid
from contextlib import asynccontextmanager

from fastapi import FastAPI
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from tasks import generate

# A pool a process, of as many connections as keep two cores and a disk busy.
pool = AsyncConnectionPool(
    os.environ["POSTGRES_URI"], min_size=10, max_size=10, timeout=60, max_waiting=0, open=False
)


@asynccontextmanager
async def lifespan(_app):
    async with pool:
        await pool.wait()
        yield


app = FastAPI(lifespan=lifespan)


class Request(BaseModel):
    business_id: str
    topic: str
    format: str


class Accepted(BaseModel):
    id: uuid.UUID


@app.post("/api/generate", status_code=202)
async def accept(request: Request) -> Accepted:
    job_id = uuid.uuid4()
    # Leaving the block commits.
    async with pool.connection() as connection:
        await connection.execute(
            "insert into accepted (id, business_id, payload) values (%s, %s, %s)",
            (job_id, request.business_id, Jsonb(request.model_dump())),
        )
    # Blocks the loop for one round trip to Redis, which is less than a thread would cost.
    generate.delay(str(job_id))
    return Accepted(id=job_id)
