"""Holds a manifest against the schemas of Kubernetes, and prints what it tells the program, one fact a line.

usage: manifest.py FILE VERSION
"""

import re
import sys

import kubernetes_validate
import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    documents = list(yaml.safe_load_all(file))
for document in documents:
    kubernetes_validate.validate(document, sys.argv[2], strict=True)
    # A misspelt key must not pass, or this says nothing.
    try:
        kubernetes_validate.validate(document | {"speck": {}}, sys.argv[2], strict=True)
    except kubernetes_validate.ValidationError:
        continue
    sys.exit(f"{document['kind']}: a misspelt key is taken")

kinds = {document["kind"]: document for document in documents}
pod = kinds["StatefulSet"]["spec"]["template"]
(container,) = pod["spec"]["containers"]
first = kinds["StatefulSet"]["metadata"]["name"] + "-0"
values = {
    one["name"]: one.get("value") or {"metadata.name": first}[one["valueFrom"]["fieldRef"]["fieldPath"]]
    for one in container["env"]
}
for word in container["args"]:
    print("arg", re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], word))

security = pod["spec"]["securityContext"] | container["securityContext"]
print("user", f"{security['runAsUser']}:{security['runAsGroup']}")
print("non-root", security["runAsNonRoot"])
print("read-only", security["readOnlyRootFilesystem"])
print("escalation", security["allowPrivilegeEscalation"])
print("drop", *security["capabilities"]["drop"])
names = {one["name"]: one["containerPort"] for one in container["ports"]}
for probe in "readinessProbe", "livenessProbe":
    print("probe", names[container[probe]["tcpSocket"]["port"]])

published = [one for one in documents if one["kind"] == "Service" and one["spec"].get("type") == "LoadBalancer"]
pods = [one["spec"]["selector"]["statefulset.kubernetes.io/pod-name"] for one in published]
assert pods == [f"{first[:-1]}{number}" for number in range(kinds["StatefulSet"]["spec"]["replicas"])], pods
assert all(one["spec"]["externalTrafficPolicy"] == "Local" for one in published)
for service in published:
    for port in service["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        print("port", service["metadata"]["name"], port["port"], names.get(target, target))
