// BullMQ: adds jobs that do nothing, then runs them all. Prints the seconds of both as JSON.
//
//   node drain.js <port of Redis> <jobs>
import { Queue, Worker } from 'bullmq';

const [port, jobs] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port };
// As many as Copydesk's queue pushes in one round trip.
const BATCH = 500;
// BullMQ's docs: 100 to 300 where jobs are I/O.
const CONCURRENCY = 200;

const queue = new Queue('noop', { connection });
await queue.waitUntilReady();
// A finished job is forgotten, as by Copydesk's queue: keeping it in Redis costs.
const opts = { removeOnComplete: true };
const batch = Array.from({ length: BATCH }, () => ({ name: 'noop', data: { business_id: 'bench' }, opts }));

const seconds = () => Number(process.hrtime.bigint()) / 1e9;
const pushing = seconds();
for (let pushed = 0; pushed < jobs; pushed += BATCH) {
  await queue.addBulk(batch.slice(0, Math.min(BATCH, jobs - pushed)));
}
const draining = seconds();

await new Promise((done, failed) => {
  let left = jobs;
  const worker = new Worker('noop', async () => {}, { connection, concurrency: CONCURRENCY });
  worker.on('completed', () => --left === 0 && done());
  worker.on('error', failed);
});
console.log(JSON.stringify({ pushing: draining - pushing, draining: seconds() - draining }));
process.exit(0);
