#!/bin/sh
# title: Create the pull secret from a docker configuration file
set -eu
config=$(mktemp)
printf '%s' '{"auths": {"{{ host }}": {"username": "{{ user }}", "password": "{{ password }}"} } }' > "$config"
kubectl -n {{ ns }} create secret generic registry-login --from-file=.dockerconfigjson="$config" --type=kubernetes.io/dockerconfigjson
rm "$config"
kubectl -n {{ ns }} patch deployment/{{ app }} --type=json -p '[{"op":"add","path":"/spec/template/spec/imagePullSecrets","value":[{"name":"registry-login"}]}]'
