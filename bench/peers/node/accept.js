// Fastify + BullMQ: answers 202 once the job is in Redis. Nothing is in a database.
//
//   node accept.js <port> <port of Redis>
import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';

import { Queue } from 'bullmq';
import Fastify from 'fastify';

const [port, redisPort] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
  // A process a core: Node runs JavaScript on one, and Copydesk's API has all of them.
  for (let core = 0; core < availableParallelism(); core++) cluster.fork();
  cluster.on('exit', () => process.exit(1));
} else {
  const queue = new Queue('generate', { connection: { host: '127.0.0.1', port: redisPort } });
  await queue.waitUntilReady();
  const app = Fastify({ logger: false });
  // Fastify's docs: a schema for what comes in is compiled once, and so is one for what goes out.
  const schema = {
    body: {
      type: 'object',
      required: ['business_id', 'topic', 'format'],
      properties: {
        business_id: { type: 'string' },
        topic: { type: 'string' },
        format: { type: 'string' },
      },
    },
    response: { 202: { type: 'object', properties: { id: { type: 'string' } } } },
  };
  app.post('/api/generate', { schema }, async (request, reply) => {
    const job = await queue.add('generate', request.body);
    reply.code(202);
    return { id: job.id };
  });
  await app.listen({ host: '127.0.0.1', port, backlog: 1024 });
}
