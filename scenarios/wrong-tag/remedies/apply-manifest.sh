#!/bin/sh
# title: Apply a corrected manifest
set -eu
kubectl apply -f - <<END
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ app }}
  namespace: {{ ns }}
  labels:
    app: {{ app }}
spec:
  replicas: 3
  selector:
    matchLabels:
      app: {{ app }}
  template:
    metadata:
      labels:
        app: {{ app }}
    spec:
      containers:
        - name: api
          image: {{ host }}/{{ app }}:{{ fixed }}
          ports:
            - containerPort: 8080
END
