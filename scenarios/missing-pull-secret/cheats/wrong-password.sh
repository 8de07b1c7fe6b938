#!/bin/sh
# title: Create a pull secret with a wrong password
set -eu
kubectl -n {{ ns }} create secret docker-registry registry-login --docker-server={{ host }} --docker-username={{ user }} --docker-password=changeme
kubectl -n {{ ns }} patch deployment/{{ app }} --type=json -p '[{"op":"add","path":"/spec/template/spec/imagePullSecrets","value":[{"name":"registry-login"}]}]'
