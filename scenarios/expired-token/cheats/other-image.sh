#!/bin/sh
# title: Run another image that needs no login
set -eu
kubectl -n {{ ns }} set image deployment/{{ app }} encoder={{ tools }}/thumbnails:1.8
