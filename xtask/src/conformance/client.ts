// Submits a text, waits for it and reads it, with the client that was generated from the reference.
import { client } from './client/client.gen';
import { followJob, generate, getGeneration, getJob } from './client/sdk.gen';
import type { JobEvents } from './client/types.gen';

declare const process: { argv: string[]; exit(code: number): never };

async function main() {
  client.setConfig({ baseUrl: process.argv[2], auth: process.argv[3] });

  const submitted = await generate({
    body: { business_id: 'company_123', topic: 'AI in Healthcare', format: 'Blog Article' },
  });
  if (!submitted.data) throw new Error(JSON.stringify(submitted.error));

  let job = submitted.data;
  for (let round = 0; round < 20 && job.finished_at === null; round += 1) {
    const read = await getJob({ path: { id: job.id }, query: { wait: 10 } });
    if (!read.data) throw new Error(JSON.stringify(read.error));
    job = read.data;
  }
  if (job.status !== 'succeeded' || !job.generation_id) throw new Error(JSON.stringify(job));

  // The data of an event is of the type that the reference has for its name.
  let done: JobEvents['done'];
  const { stream } = await followJob({
    path: { id: job.id },
    onSseEvent: ({ event, data }) => {
      if (event === 'done') done = data as JobEvents['done'];
    },
  });
  let events = 0;
  for await (const _ of stream) {
    events += 1;
    if (done) break;
  }
  if (done?.id !== job.id) throw new Error(JSON.stringify(done));

  const text = await getGeneration({ path: { id: job.generation_id } });
  if (!text.data || text.data.content.length < 100) throw new Error(JSON.stringify(text));

  const refused = await generate({ body: { business_id: 'company_123', topic: '' } });
  if (refused.error?.errors?.[0]?.pointer !== '/topic') throw new Error(JSON.stringify(refused));

  console.log(`${events} events, ${text.data.content.length} characters: ${text.data.title}`);
}

main().catch((error) => {
  console.log(error);
  process.exit(1);
});
