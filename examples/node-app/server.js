import fastify from 'fastify';

const app = fastify();
app.get('/', async () => ({ hello: 'world' }));

if (process.argv.includes('--self-test')) {
  const answer = await app.inject('/');
  process.stdout.write(`${answer.statusCode} ${answer.body}\n`);
} else {
  await app.listen({ host: '0.0.0.0', port: 8080 });
}
