// The common scenario with the Node client. It ends with an error, or says what it saw.
import assert from 'node:assert/strict';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import { once } from 'node:events';
import * as k8s from '@kubernetes/client-node';

const namespace = 'node';
const limit = AbortSignal.timeout(90_000);
limit.addEventListener('abort', () => { console.error('the time is up'); process.exit(1); });
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);

// A Deployment of one pod that says a word and waits, and beside it a web server.
const workload = (name, image) => ({
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, labels: { app: name } },
  spec: {
    replicas: 1, selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: 'main', image, command: ['sh', '-c', 'echo first; echo second; sleep infinity'] },
          { name: 'web', image: 'web:1' },
        ],
      },
    },
  },
});

// Watches until something is seen.
const until = (path, query, found) => new Promise((resolve, reject) => {
  let controller;
  let over = false;
  const begun = new k8s.Watch(config).watch(path, query, (type, object) => {
    const result = found(type, object);
    if (result && !over) {
      over = true;
      begun.then((c) => c.abort());
      resolve(result);
    }
  }, (error) => { if (!over) reject(error ?? new Error(`the watch of ${path} ended`)); });
  begun.then((c) => { controller = c; }, reject);
});

const pods = `/api/v1/namespaces/${namespace}/pods`;
const statuses = (pod) => pod.status?.containerStatuses ?? [];
const waiting = (_, pod) => statuses(pod).some((s) => s.state.waiting?.reason === 'ImagePullBackOff');
const ready = (_, pod) => statuses(pod).length > 0 && statuses(pod).every((s) => s.ready) && pod.metadata.name;
const refused = async (code, call) => {
  try {
    await call;
  } catch (error) {
    assert.equal(error.code, code, String(error));
    return error;
  }
  throw new Error(`not refused with ${code}`);
};

await core.createNamespace({ body: { metadata: { name: namespace } } });
await apps.createNamespacedDeployment({ namespace, body: workload('broken', 'registry.example/none:1') });
const made = await apps.createNamespacedDeployment({ namespace, body: workload('runs', 'busybox:1.36') });
assert.ok(made.metadata.creationTimestamp instanceof Date);
await refused(409, apps.createNamespacedDeployment({ namespace, body: workload('runs', 'busybox:1.36') }));
await refused(404, core.readNamespacedPod({ name: 'nobody', namespace }));
const listed = await apps.listNamespacedDeployment({ namespace });
assert.deepEqual(listed.items.map((d) => d.metadata.name), ['broken', 'runs']);
console.log('created and listed');

await until(pods, { labelSelector: 'app=broken' }, waiting);
const pod = await until(pods, { labelSelector: 'app=runs' }, ready);
const informer = k8s.makeInformer(config, pods, () => core.listNamespacedPod({ namespace }));
const names = new Set();
const informed = new Promise((resolve, reject) => {
  informer.on('add', (object) => { names.add(object.metadata.name); if (names.size === 2) resolve(); });
  informer.on('error', reject);
});
await informer.start();
await informed;
console.log('watched');

const failed = await core.listNamespacedEvent({ namespace, fieldSelector: 'reason=Failed,type=Warning' });
assert.ok(failed.items.some((event) => event.message.includes('ErrImagePull')));
console.log('events');

const image = { spec: { template: { spec: { containers: [{ name: 'main', image: 'busybox:1.36' }] } } } };
const patch = (strategy, body) => apps.patchNamespacedDeployment(
  { name: 'broken', namespace, body }, k8s.setHeaderOptions('Content-Type', strategy));
const patched = await patch(k8s.PatchStrategy.StrategicMergePatch, image);
assert.equal(patched.spec.template.spec.containers.length, 2, 'the containers are merged by name');
const step = [{ op: 'add', path: '/metadata/annotations', value: { by: 'node' } }];
assert.equal((await patch(k8s.PatchStrategy.JsonPatch, step)).metadata.annotations.by, 'node');
await until(pods, { labelSelector: 'app=broken' }, ready);
console.log('patched');

const text = (stream) => { let all = ''; stream.on('data', (data) => { all += data; }); return () => all; };
const exec = (command, stdin) => new Promise((resolve, reject) => {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const [said, complained] = [text(out), text(err)];
  new k8s.Exec(config).exec(namespace, pod, 'main', command, out, err, stdin, false, (status) => {
    resolve({ status, out: said(), err: complained() });
  }).catch(reject);
});
const hello = await exec(['echo', 'hello'], null);
assert.deepEqual([hello.out, hello.status.status], ['hello\n', 'Success']);
const wrong = await exec(['sh', '-c', 'echo to-err >&2; exit 3'], null);
assert.deepEqual([wrong.err, wrong.status.details.causes[0].message], ['to-err\n', '3']);
const stdin = new PassThrough();
// It stays open: in the older protocols its end is the end of the connection.
stdin.write('through\n');
assert.equal((await exec(['head', '-n', '1'], stdin)).out, 'through\n');
console.log('executed');

const log = new PassThrough();
const written = text(log);
const following = await new k8s.Log(config).log(namespace, pod, 'main', log, { follow: true });
while (!written().includes('second\n')) await once(log, 'data');
following.abort();
assert.equal(written(), 'first\nsecond\n');
console.log('logs');

const forward = new k8s.PortForward(config);
const server = net.createServer((socket) => { forward.portForward(namespace, pod, [8080], socket, null, socket); });
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers: { connection: 'close' } });
assert.equal(answer.status, 200);
server.close();
server.closeAllConnections?.();
console.log('forwarded');

// From before: a watch that begins when it is over would see nothing.
const { resourceVersion } = (await apps.listNamespacedDeployment({ namespace })).metadata;
const gone = until(`/apis/apps/v1/namespaces/${namespace}/deployments`, { resourceVersion },
  (type, object) => type === 'DELETED' && object.metadata.name === 'runs');
await apps.deleteNamespacedDeployment({ name: 'runs', namespace });
await gone;
await informer.stop();
const ended = until('/api/v1/namespaces', { resourceVersion, fieldSelector: `metadata.name=${namespace}` },
  (type) => type === 'DELETED');
await core.deleteNamespace({ name: namespace });
await ended;
await refused(404, core.readNamespace({ name: namespace }));
console.log('deleted');

const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'generic', namespace: 'default' }, data: { a: 'b' } };
await objects.create(map);
assert.equal((await objects.read(map)).data.a, 'b');
await objects.delete(map);
console.log('generic');
process.exit(0);
