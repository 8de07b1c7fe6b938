#!/bin/sh
# title: Load the old build into the nodes under the wanted name
# needs: docker, kind, skopeo
# backends: kind
set -eu
url=$(sed -n 's,.*"{{ host }}": "https://\([^"]*\)".*,\1,p' "$PULLDRILL_DIR/lab.json")
node=$(kubectl get nodes -o name | sed -n '1s,node/,,p')
skopeo copy --src-tls-verify=false --src-creds "{{ team }}-dev:{{ password }}" \
  "docker://$url/{{ app }}:{{ old }}" "docker-daemon:{{ host }}/{{ app }}:{{ wanted }}"
kind load docker-image --name "${node%-control-plane}" "{{ host }}/{{ app }}:{{ wanted }}"
docker rmi "{{ host }}/{{ app }}:{{ wanted }}"
