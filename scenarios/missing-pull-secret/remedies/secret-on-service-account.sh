#!/bin/sh
# title: Create a pull secret, put it on the default ServiceAccount and restart
set -eu
kubectl -n {{ ns }} create secret docker-registry registry-login --docker-server={{ host }} --docker-username={{ user }} --docker-password={{ password }} --docker-email={{ team }}@{{ company }}.example
kubectl -n {{ ns }} patch serviceaccount default -p '{"imagePullSecrets": [{"name": "registry-login"}]}'
kubectl -n {{ ns }} rollout restart deployment/{{ app }}
