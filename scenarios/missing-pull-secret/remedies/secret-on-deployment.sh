#!/bin/sh
# title: Create a pull secret and name it in the Deployment
set -eu
kubectl -n {{ ns }} create secret docker-registry registry-login --docker-server={{ host }} --docker-username={{ user }} --docker-password={{ password }} --docker-email={{ team }}@{{ company }}.example
kubectl -n {{ ns }} patch deployment/{{ app }} --type=json -p '[{"op":"add","path":"/spec/template/spec/imagePullSecrets","value":[{"name":"registry-login"}]}]'
