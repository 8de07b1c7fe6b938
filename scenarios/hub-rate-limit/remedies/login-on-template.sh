#!/bin/sh
# title: Log in to Docker Hub by the StatefulSet's template
set -eu
kubectl -n {{ ns }} create secret docker-registry docker-hub --docker-server=https://index.docker.io/v1/ --docker-username={{ hubuser }} --docker-password={{ hubpassword }}
kubectl -n {{ ns }} patch statefulset/postgres --type=json -p '[{"op":"add","path":"/spec/template/spec/imagePullSecrets","value":[{"name":"docker-hub"}]}]'
kubectl -n {{ ns }} delete pod postgres-1
