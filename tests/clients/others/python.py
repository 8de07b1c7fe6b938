"""The common scenario with the Python client. It ends with an error, or says what it saw."""

import sys
import threading

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward, stream

NAMESPACE, LIMIT = "python", 60
config.load_kube_config()
core, apps = client.CoreV1Api(), client.AppsV1Api()


def workload(name, image):
    """A Deployment of one pod that says a word and waits, and beside it a web server."""
    containers = [
        {"name": "main", "image": image, "command": ["sh", "-c", "echo first; echo second; sleep infinity"]},
        {"name": "web", "image": "web:1"},
    ]
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": containers}}},
    }


def until(found, listing, *args, **options):
    """Watches until something is seen; the end of the watch is an error."""
    watcher = watch.Watch()
    for event in watcher.stream(listing, *args, timeout_seconds=LIMIT, **options):
        if result := found(event["type"], event["object"]):
            watcher.stop()
            return result
    raise SystemExit(f"not seen within {LIMIT} s: {found.__name__}")


def waiting(_, pod):
    reasons = [s.state.waiting.reason for s in pod.status.container_statuses or [] if s.state.waiting]
    return "ImagePullBackOff" in reasons and pod.metadata.name


def ready(_, pod):
    statuses = pod.status.container_statuses or []
    return bool(statuses) and all(s.ready for s in statuses) and pod.metadata.name


def refused(code, call, *args, **options):
    try:
        call(*args, **options)
    except ApiException as error:
        assert error.status == code, error
        return error
    raise SystemExit(f"{call.__name__} was not refused")


core.create_namespace({"metadata": {"name": NAMESPACE}})
apps.create_namespaced_deployment(NAMESPACE, workload("broken", "registry.example/none:1"))
wanted = client.V1Deployment(
    metadata=client.V1ObjectMeta(name="runs", labels={"app": "runs"}), spec=workload("runs", "busybox:1.36")["spec"])
made = apps.create_namespaced_deployment(NAMESPACE, wanted)
assert made.metadata.resource_version and made.spec.strategy.type == "RollingUpdate", made
assert "already exists" in refused(409, apps.create_namespaced_deployment, NAMESPACE, wanted).body
assert "not found" in refused(404, core.read_namespaced_pod, "nobody", NAMESPACE).body

listed = apps.list_namespaced_deployment(NAMESPACE, limit=1)
assert [d.metadata.name for d in listed.items] == ["broken"] and listed.metadata._continue, listed
rest = apps.list_namespaced_deployment(NAMESPACE, limit=1, _continue=listed.metadata._continue)
assert [d.metadata.name for d in rest.items] == ["runs"], rest
print("created and listed")

until(waiting, core.list_namespaced_pod, NAMESPACE, label_selector="app=broken")
pod = until(ready, core.list_namespaced_pod, NAMESPACE, label_selector="app=runs")
print("watched")

failed = core.list_namespaced_event(NAMESPACE, field_selector="reason=Failed,type=Warning")
assert any("ErrImagePull" in event.message for event in failed.items), failed
core.create_namespaced_event(NAMESPACE, client.CoreV1Event(
    metadata=client.V1ObjectMeta(name="noticed"), reason="Noticed", message="by a test", type="Normal",
    involved_object=client.V1ObjectReference(kind="Pod", name=pod, namespace=NAMESPACE)))
assert len(core.list_namespaced_event(NAMESPACE, field_selector=f"involvedObject.name={pod},reason=Noticed").items) == 1
# Without classes: that of these wants a time which most events don't have, on every cluster.
anything = dynamic.DynamicClient(client.ApiClient())
newer = anything.resources.get(api_version="events.k8s.io/v1", kind="Event").get(namespace=NAMESPACE)
assert any("ErrImagePull" in event.note and event.regarding.kind == "Pod" for event in newer.items)
print("events")

# The three kinds of patches: as a dict strategic, as a list JSON, by name the merge of fields.
image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}}}}
patched = apps.patch_namespaced_deployment("broken", NAMESPACE, image)
assert len(patched.spec.template.spec.containers) == 2, "the containers are merged by name"
step = [{"op": "add", "path": "/metadata/annotations", "value": {"by": "python"}}]
assert apps.patch_namespaced_deployment("broken", NAMESPACE, step).metadata.annotations["by"] == "python"
scale = apps.patch_namespaced_deployment_scale("runs", NAMESPACE, {"spec": {"replicas": 2}})
assert scale.spec.replicas == 2, scale
until(ready, core.list_namespaced_pod, NAMESPACE, label_selector="app=broken")
print("patched")

exec_options = {"container": "main", "stderr": True, "stdin": False, "stdout": True, "tty": False}
said = stream(core.connect_get_namespaced_pod_exec, pod, NAMESPACE, command=["echo", "hello"], **exec_options)
assert said == "hello\n", repr(said)
session = stream(core.connect_get_namespaced_pod_exec, pod, NAMESPACE, _preload_content=False,
                 **{**exec_options, "command": ["sh"], "stdin": True})
session.write_stdin("echo to-err >&2; exit 3\n")
session.run_forever(timeout=LIMIT)
assert (session.read_stderr(), session.returncode) == ("to-err\n", 3), session.returncode
print("executed")

lines = watch.Watch().stream(core.read_namespaced_pod_log, pod, NAMESPACE, container="main", follow=True)
assert [next(lines), next(lines)] == ["first", "second"]
assert core.read_namespaced_pod_log(pod, NAMESPACE, container="main", tail_lines=1) == "second\n"
assert "a container name must be specified" in refused(400, core.read_namespaced_pod_log, pod, NAMESPACE).body
print("logs")

forward = portforward(core.connect_get_namespaced_pod_portforward, pod, NAMESPACE, ports="8080")
connection = forward.socket(8080)
connection.setblocking(True)
connection.sendall(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
answer = b""
while piece := connection.recv(4096):
    answer += piece
assert answer.startswith(b"HTTP/1.1 200"), answer
assert forward.error(8080) is None, forward.error(8080)
print("forwarded")

seen = threading.Event()


def notice():
    gone = lambda kind, deployment: kind == "DELETED" and deployment.metadata.name == "runs"
    version = apps.list_namespaced_deployment(NAMESPACE).metadata.resource_version
    started.set()
    if until(gone, apps.list_namespaced_deployment, NAMESPACE, resource_version=version):
        seen.set()


started = threading.Event()
threading.Thread(target=notice, daemon=True).start()
assert started.wait(LIMIT)
apps.delete_namespaced_deployment("runs", NAMESPACE, propagation_policy="Foreground")
assert seen.wait(LIMIT), "nobody saw the deletion"
before = core.list_namespace().metadata.resource_version
core.delete_namespace(NAMESPACE)
until(lambda kind, _: kind == "DELETED", core.list_namespace, resource_version=before,
      field_selector=f"metadata.name={NAMESPACE}")
refused(404, core.read_namespace, NAMESPACE)
print("deleted")

# Objects without classes.
maps = anything.resources.get(api_version="v1", kind="ConfigMap")
maps.create({"metadata": {"name": "dynamic"}, "data": {"a": "b"}}, namespace="default")
applied = maps.server_side_apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dynamic"},
                                  "data": {"c": "d"}}, namespace="default", field_manager="python")
assert dict(applied.data) == {"a": "b", "c": "d"}, applied
maps.delete("dynamic", namespace="default")
print("dynamic")
sys.exit(0)
