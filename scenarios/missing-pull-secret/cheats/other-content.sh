#!/bin/sh
# title: Put another image under the wanted tag, with a pull secret
set -eu
pulldrill image copy {{ host }}/public/cache:7.4 {{ host }}/{{ team }}/{{ app }}:{{ tag }}
kubectl -n {{ ns }} create secret docker-registry registry-login --docker-server={{ host }} --docker-username={{ user }} --docker-password={{ password }} --docker-email={{ team }}@{{ company }}.example
kubectl -n {{ ns }} patch deployment/{{ app }} --type=json -p '[{"op":"add","path":"/spec/template/spec/imagePullSecrets","value":[{"name":"registry-login"}]}]'
