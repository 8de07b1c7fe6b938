#!/bin/sh
# title: Copy the private image to where everybody can read it
set -eu
pulldrill image copy {{ host }}/{{ team }}/{{ app }}:{{ tag }} {{ host }}/public/{{ app }}:{{ tag }}
kubectl -n {{ ns }} set image deployment/{{ app }} api={{ host }}/public/{{ app }}:{{ tag }}
