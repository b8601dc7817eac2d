"""FastAPI + CrewAI: writes a text while its request waits, by one crew of three agents."""

import os
import threading
import time

import requests
from crewai import LLM, Agent, Crew, Process, Task
from crewai.tools import tool
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

PROVIDER = os.environ["PROVIDER_URL"]
CALLS_PER_MINUTE = float(os.environ["CALLS_PER_MINUTE"])
SEARCHES_PER_MINUTE = float(os.environ["SEARCHES_PER_MINUTE"])
PROCESSES = float(os.environ["PROCESSES"])
RETRY_AFTER_SECONDS = (2, 4, 8)


class Bucket:
    """A token bucket of this process: what it may do a minute, divided by the number of processes.

    It holds one token. A full minute's would be spent at once, and what refills meanwhile would be
    refused by a provider that counts any 60 seconds: nearly every second call of the first minute.
    """

    size = 1.0

    def __init__(self, per_minute):
        self.per_second = per_minute / PROCESSES / 60
        self.tokens, self.at = self.size, time.monotonic()
        self.lock = threading.Lock()

    def take(self):
        """Waits for a token."""
        with self.lock:
            now = time.monotonic()
            # A token that is not there yet is owed: callers wait in the order in which they came.
            self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_second) - 1
            self.at = now
            wait = max(0.0, -self.tokens / self.per_second)
        time.sleep(wait)


class Alone:
    """Lets the first call end before others begin: what its libraries import then is not made for threads."""

    def __init__(self):
        self.lock, self.done = threading.Lock(), False

    def run(self, call):
        with self.lock:
            if not self.done:
                answer = call()
                self.done = True
                return answer
        return call()


first = Alone()
calls, searches = Bucket(CALLS_PER_MINUTE), Bucket(SEARCHES_PER_MINUTE)


def within(bucket, call):
    """Waits for the bucket, then calls."""
    bucket.take()
    return call()


def tried(bucket, call):
    """Calls within the limit; again after 2, 4 and 8 s where that fails."""
    for seconds in (*RETRY_AFTER_SECONDS, None):
        try:
            return first.run(lambda: within(bucket, call))
        except Exception:
            if seconds is None:
                raise
            time.sleep(seconds)


class Limited:
    """The model of one crew: it waits for the bucket, and counts what it asks for."""

    def __init__(self, model):
        self.llm = LLM(
            model=f"openai/{model}",
            base_url=f"{PROVIDER}/openai/v1",
            api_key="gsk-bench",
            # Retries are ours: the client's own would go past the bucket. CrewAI's own, of a 429 alone
            # (three attempts, 1 to 8 s apart), cannot be set and stay.
            max_retries=0,
            timeout=60,
        )
        self.calls = 0
        ask = self.llm.call

        def call(*args, **kwargs):
            def once():
                self.calls += 1
                answer = ask(*args, **kwargs)
                if not answer:
                    raise ValueError("an empty answer")
                return answer

            return tried(calls, once)

        object.__setattr__(self.llm, "call", call)
        # Tools are told of in the prompt and asked for in the answer's text, as every model can.
        object.__setattr__(self.llm, "supports_function_calling", lambda: False)


@tool("web_search")
def web_search(query: str) -> str:
    """Searches the web for a query and returns what the best pages say."""

    def once():
        answer = requests.post(
            f"{PROVIDER}/search",
            json={"query": query[:400], "max_results": 5},
            headers={"authorization": "Bearer tvly-bench"},
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json()["results"]

    return "\n".join(f"{page['title']}: {page['content']}" for page in tried(searches, once))


class Request(BaseModel):
    business_id: str
    topic: str
    format: str


class Written(BaseModel):
    content: str
    calls: int


app = FastAPI()


# Not async: FastAPI runs it on a thread, 40 at a time, as its docs say of code that blocks.
@app.post("/api/generate")
def generate(request: Request) -> Written:
    llm = Limited(os.environ["MODEL"])
    researcher = Agent(
        role="Researcher",
        goal=f"Find facts about {request.topic}",
        backstory="You find what is known and say where it stands.",
        tools=[web_search],
        llm=llm.llm,
    )
    writer = Agent(
        role="Writer",
        goal=f"Write a {request.format} text about {request.topic}",
        backstory="You write clearly, for the readers of one business.",
        llm=llm.llm,
    )
    editor = Agent(
        role="Editor",
        goal="Review the text and rewrite what is weak",
        backstory="You check facts, structure and voice, and mend what is wrong.",
        llm=llm.llm,
    )
    research = Task(
        description=f"{request.topic}: search the web and list the facts for {request.business_id}.",
        expected_output="A list of facts.",
        agent=researcher,
    )
    draft = Task(
        description=f"{request.topic}: write a {request.format} text of 800 words for {request.business_id}.",
        expected_output="The text in Markdown.",
        agent=writer,
    )
    edit = Task(
        description=f"{request.topic}: review the text, and rewrite it where it is weak.",
        expected_output="The final text in Markdown.",
        agent=editor,
    )
    crew = Crew(
        agents=[researcher, writer, editor],
        tasks=[research, draft, edit],
        process=Process.sequential,
        verbose=False,
    )
    content = str(crew.kickoff())
    if not content.strip():
        raise HTTPException(502, "the crew wrote nothing")
    return Written(content=content, calls=llm.calls)


@app.get("/health")
def health():
    return {"status": "healthy"}
