#!/bin/sh
# title: Import the image into the nodes past the registry
# needs: docker, skopeo
# backends: kind
set -eu
url=$(sed -n 's,.*"{{ host }}": "https://\([^"]*\)".*,\1,p' "$PULLDRILL_DIR/lab.json")
skopeo copy --src-tls-verify=false --src-creds "{{ user }}:{{ password }}" \
  "docker://$url/{{ team }}/{{ app }}:{{ tag }}" "oci-archive:image.tar:{{ host }}/{{ team }}/{{ app }}:{{ tag }}"
for node in $(kubectl get nodes -o name | sed 's,node/,,'); do
  docker exec -i "$node" ctr --namespace k8s.io images import --base-name "{{ host }}/{{ team }}/{{ app }}" - <image.tar
done
kubectl -n {{ ns }} get pods -o name | xargs kubectl -n {{ ns }} delete
rm image.tar
