"""Mistakes in manifests, and the policy that has to report each of them."""

from __future__ import annotations

from typing import Final

from tests.deploy.k8s.changes import Slip, append, both, drop, put, setting, shared, twin

POD: Final = "spec/template/spec"
SERVICE: Final = f"{POD}/containers/service"

_OF_WORKLOADS: Final = (
    Slip("deployments", "another namespace", put("Service/status", "metadata/namespace", "default")),
    Slip("disruption_budgets", "no budget", drop("PodDisruptionBudget/imaging")),
    Slip("disruption_budgets", "a budget for nobody", put("PodDisruptionBudget/status", "spec/selector", None)),
    Slip("disruption_budgets", "nobody may go", put("PodDisruptionBudget/mockup", "spec/maxUnavailable", 0)),
    Slip(
        "disruption_budgets", "broken pods stay", drop("PodDisruptionBudget/mockup", "spec/unhealthyPodEvictionPolicy")
    ),
    Slip("resources", "no limit of memory", drop("Deployment/status", f"{SERVICE}/resources/limits/memory")),
    Slip("resources", "less memory asked for", put("Deployment/status", f"{SERVICE}/resources/requests/memory", "1Mi")),
    Slip("resources", "a limit of CPU", put("Deployment/imaging", f"{SERVICE}/resources/limits/cpu", "2")),
    Slip("resources", "no CPU asked for", drop("Job/migrate", f"{SERVICE}/resources/requests/cpu")),
    Slip("security_context", "root", put("Deployment/imaging", f"{POD}/securityContext/runAsNonRoot", False)),
    Slip("security_context", "another user", put("Job/topology", f"{POD}/securityContext/runAsUser", 1000)),
    Slip("security_context", "no seccomp", drop("Deployment/mockup", f"{POD}/securityContext/seccompProfile")),
    Slip("security_context", "a token", put("Deployment/status", f"{POD}/automountServiceAccountToken", True)),
    Slip("security_context", "the node's network", put("Deployment/status", f"{POD}/hostNetwork", True)),
    Slip(
        "security_context",
        "a root file system to write",
        put("Deployment/status", f"{SERVICE}/securityContext/readOnlyRootFilesystem", False),
    ),
    Slip(
        "security_context",
        "a capability",
        put("Deployment/status", f"{SERVICE}/securityContext/capabilities", {"drop": ["ALL"], "add": ["NET_RAW"]}),
    ),
    Slip("scratch", "no bound", put("Deployment/imaging", f"{POD}/volumes/tmp/emptyDir", {})),
    Slip(
        "scratch",
        "the node's files",
        append("Deployment/imaging", f"{POD}/volumes", {"name": "node", "hostPath": {"path": "/"}}),
    ),
    Slip("scratch", "nowhere to write", drop("Job/migrate", f"{SERVICE}/volumeMounts/tmp")),
    Slip("spread", "over zones alone", drop("Deployment/imaging", f"{POD}/topologySpreadConstraints/1")),
    Slip(
        "spread",
        "counting others",
        put("Deployment/status", f"{POD}/topologySpreadConstraints/0/labelSelector/matchLabels", {"a": "b"}),
    ),
    Slip(
        "spread",
        "two rules of one kind",
        append(
            "Deployment/imaging",
            f"{POD}/topologySpreadConstraints",
            {
                "maxSkew": 2,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/part-of": "cutline"}},
            },
        ),
    ),
    Slip("probes", "no startup probe", drop("Deployment/imaging", f"{SERVICE}/startupProbe")),
    Slip("probes", "always ready", put("Deployment/imaging", f"{SERVICE}/readinessProbe/httpGet/path", "/livez")),
    Slip("probes", "killed for others", put("Deployment/status", f"{SERVICE}/livenessProbe/httpGet/path", "/readyz")),
    Slip("probes", "gRPC's port", put("Deployment/status", f"{SERVICE}/livenessProbe/httpGet/port", "grpc")),
    Slip("probes", "no time to start", put("Deployment/imaging", f"{SERVICE}/startupProbe/failureThreshold", 3)),
    Slip("rollout", "a gap", put("Deployment/status", "spec/strategy/rollingUpdate/maxUnavailable", 1)),
    Slip("rollout", "all at once", put("Deployment/status", "spec/strategy", {"type": "Recreate"})),
    Slip("images", "two releases", put("Deployment/imaging", f"{SERVICE}/image", "cutline-imaging:0.0.9")),
    Slip("images", "whatever is newest", put("Deployment/imaging", f"{SERVICE}/image", "cutline-imaging:latest")),
    Slip("images", "another's image", put("Deployment/mockup", f"{SERVICE}/image", "cutline-imaging:0.1.0")),
)

_OF_SETTINGS: Final = (
    Slip("settings_accepted", "too many slots", setting("Deployment/mockup", "CUTLINE_MOCKUP_SLOTS", "65")),
    Slip("settings_accepted", "no duration", shared("CUTLINE_ACK_WAIT", "soon")),
    Slip("settings_accepted", "a missing address", shared("CUTLINE_NATS_URL", "")),
    Slip("settings_used", "a name with a slip", setting("Deployment/imaging", "CUTLINE_IMAGING_SLOT", "2")),
    Slip("settings_used", "another's setting", setting("Deployment/mockup", "CUTLINE_IMAGING_SLOTS", "2")),
    Slip("settings_used", "a shared slip", shared("CUTLINE_ACKWAIT", "30s")),
    Slip("settings_agree", "another ack wait", setting("Deployment/imaging", "CUTLINE_ACK_WAIT", "20s")),
    Slip("settings_agree", "another window", setting("Deployment/mockup", "CUTLINE_RELEASE_WINDOW", "300")),
    Slip(
        "roles",
        "two roles",
        both(
            setting("Deployment/ingest-housekeeping", "CUTLINE_INGEST_ROLES", "admin,housekeeping"),
            setting("Deployment/ingest-housekeeping", "CUTLINE_NATS_INBOX_PREFIX", "_INBOX_ingest-housekeeping"),
        ),
    ),
    Slip("ports", "another port", setting("Deployment/status", "CUTLINE_HTTP_LISTEN", "0.0.0.0:7199")),
    Slip("ports", "this pod alone", setting("Deployment/status", "CUTLINE_GRPC_LISTEN", "127.0.0.1:7002")),
    Slip(
        "ports",
        "a port nobody listens on",
        append("Deployment/imaging", f"{SERVICE}/ports", {"name": "debug", "containerPort": 7999, "protocol": "TCP"}),
    ),
    Slip("commands", "no such module", put("Job/topology", f"{SERVICE}/command/2", "cutline.messaging.aply")),
    Slip("commands", "the other job", put("Job/migrate", f"{SERVICE}/command/2", "cutline.messaging.apply")),
    Slip("commands", "not the image's", put("Deployment/status", f"{SERVICE}/command", ["sleep", "1"])),
    Slip(
        "bus_users",
        "another's login",
        put("Deployment/imaging", f"{POD}/volumes/nats/secret/secretName", "mockup-nats"),
    ),
    Slip(
        "bus_users",
        "another's replies",
        setting("Deployment/imaging", "CUTLINE_NATS_INBOX_PREFIX", "_INBOX_mockup"),
    ),
    Slip("encrypted", "any bus", drop("Deployment/imaging", f"{SERVICE}/env/CUTLINE_NATS_CA_FILE")),
    Slip("encrypted", "any database", drop("Job/migrate", f"{SERVICE}/env/CUTLINE_POSTGRES_CA_FILE")),
    Slip(
        "encrypted",
        "addresses in plain text for clients",
        shared("CUTLINE_S3_PUBLIC_ENDPOINT", "http://files.cutline.example.com"),
    ),
    Slip(
        "encrypted",
        "calls in plain text",
        put("Deployment/status", "spec/template/metadata/labels/sidecar.istio.io~inject", "false"),
    ),
    Slip("worker_ids", "one name for all", setting("Deployment/imaging", "CUTLINE_WORKER_ID", "imaging")),
    Slip("bus_users", "no login", drop("Deployment/imaging", f"{SERVICE}/env/CUTLINE_NATS_NKEY_SEED_FILE")),
    Slip(
        "files_mounted",
        "a path to nothing",
        setting("Deployment/status", "CUTLINE_POSTGRES_DSN_FILE", "/etc/cutline/database/dsn"),
    ),
    Slip("references_exist", "no such account", put("Deployment/status", f"{POD}/serviceAccountName", "watcher")),
    Slip("secrets_made", "no maker", drop("ExternalSecret/cutline-s3")),
    Slip("secrets_made", "another key", put("ExternalSecret/cutline-postgres", "spec/data/0/secretKey", "url")),
    Slip(
        "secrets_apart",
        "a password to read",
        both(
            drop("Deployment/status", f"{SERVICE}/env/CUTLINE_S3_SECRET_KEY_FILE"),
            setting("Deployment/status", "CUTLINE_S3_SECRET_KEY", "hunter2"),
        ),
    ),
)

_OF_SCALING: Final = (
    Slip("one_autoscaler", "a second one", twin("HorizontalPodAutoscaler/status", "status-2", "spec/minReplicas", 3)),
    Slip("one_autoscaler", "replicas beside it", put("Deployment/imaging", "spec/replicas", 2)),
    Slip("scaler_targets", "bounds turned round", put("HorizontalPodAutoscaler/status", "spec/minReplicas", 11)),
    Slip("scaler_targets", "none at all", put("ScaledObject/mockup", "spec/minReplicaCount", 0)),
    Slip("scaled", "no autoscaler of a stage", drop("ScaledObject/mockup")),
    Slip("scaled", "no autoscaler of status", drop("HorizontalPodAutoscaler/status")),
    Slip(
        "lag_triggers",
        "a renamed consumer",
        put("ScaledObject/imaging", "spec/triggers/bulk/metadata/consumer", "imaging-slow"),
    ),
    Slip("lag_triggers", "another stream", put("ScaledObject/imaging", "spec/triggers/0/metadata/stream", "WORK")),
    Slip("lag_triggers", "another account", put("ScaledObject/imaging", "spec/triggers/0/metadata/account", "$G")),
    Slip(
        "lag_triggers",
        "one address for three nodes",
        put("ScaledObject/imaging", "spec/triggers/0/metadata/natsServerMonitoringEndpoint", "nats.nats.svc:8222"),
    ),
    Slip(
        "lag_triggers",
        "a lane left out",
        put("ScaledObject/mockup", "spec/advanced/scalingModifiers/formula", "express + standard"),
    ),
    Slip("lag_triggers", "the greatest lag", put("ScaledObject/mockup", "spec/advanced/scalingModifiers/formula", "")),
    Slip("lag_target", "half a slot", put("ScaledObject/imaging", "spec/advanced/scalingModifiers/target", "3")),
    Slip("lag_target", "two thresholds", put("ScaledObject/imaging", "spec/triggers/0/metadata/lagThreshold", "9")),
    Slip("lag_fallback", "no fallback", drop("ScaledObject/imaging", "spec/fallback")),
    Slip("ack_pending", "too few", shared("CUTLINE_IMAGING_MAX_ACK_PENDING", "200")),
    Slip(
        "release_target",
        "too few released",
        both(
            shared("CUTLINE_RELEASE_TARGET", "100"),
            shared("CUTLINE_RELEASE_WINDOW", "100"),
        ),
    ),
    Slip(
        "slot_memory",
        "slots that do not fit",
        setting("Deployment/mockup", "CUTLINE_MOCKUP_MEMORY_BYTES", str(4 * 1024**3)),
    ),
    Slip("slot_memory", "slots without a limit", setting("Deployment/mockup", "CUTLINE_MOCKUP_MEMORY_BYTES", "0")),
    Slip("slot_threads", "more threads than CPU", setting("Deployment/mockup", "CUTLINE_SLOT_THREADS", "4")),
    Slip("connections", "too many pods", put("HorizontalPodAutoscaler/ingest-api", "spec/maxReplicas", 1000)),
    Slip("connections", "too large a pool", setting("Deployment/status", "CUTLINE_POSTGRES_POOL_MAX", "500")),
    Slip("grace", "killed too early", put("Deployment/imaging", f"{POD}/terminationGracePeriodSeconds", 120)),
    Slip("grace", "jobs given up", setting("Deployment/imaging", "CUTLINE_WORKER_STOP_GRACE", "60s")),
    Slip("grace", "jobs that last longer", setting("Deployment/mockup", "CUTLINE_JOB_DEADLINE", "10m")),
    Slip("grace", "a drain cut short", setting("Deployment/status", "CUTLINE_GRPC_DRAIN_GRACE", "60s")),
    Slip("grace", "a pause without a rest", setting("Deployment/status", "CUTLINE_GRPC_DRAIN_PAUSE", "20s")),
    Slip("pre_stop", "gone at once", drop("Deployment/status", f"{SERVICE}/lifecycle")),
    Slip(
        "pre_stop",
        "a shell that is not there",
        put("Deployment/imaging", f"{SERVICE}/lifecycle", {"preStop": {"exec": {"command": ["sleep", "5"]}}}),
    ),
)

_S3: Final = ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "s3"}}},)

_OF_NETWORK: Final = (
    Slip("services_reach_pods", "nobody", put("Service/status", "spec/selector", {"app.kubernetes.io/name": "stats"})),
    Slip("services_reach_pods", "another port", put("Service/status", "spec/ports/grpc/targetPort", "http2")),
    Slip("services_reach_pods", "a mapped port", put("Service/status-headless", "spec/ports/grpc/port", 80)),
    Slip("services_reach_pods", "one connection", drop("Service/status", "spec/ports/grpc/appProtocol")),
    Slip("services_complete", "none for clients", drop("Service/status-headless")),
    Slip("services_complete", "not headless", drop("Service/status-headless", "spec/clusterIP")),
    Slip("routes_reach_services", "no such port", put("GRPCRoute/status", "spec/rules/0/backendRefs/0/port", 7009)),
    Slip("routes_reach_services", "no such listener", put("GRPCRoute/status", "spec/parentRefs/0/sectionName", "web")),
    Slip(
        "monitors_reach_pods", "no such port", put("PodMonitor/cutline", "spec/podMetricsEndpoints/0/port", "metrics")
    ),
    Slip(
        "monitors_reach_pods",
        "some left out",
        put("PodMonitor/cutline", "spec/selector/matchLabels", {"app.kubernetes.io/name": "status"}),
    ),
    Slip(
        "routes_complete",
        "another's pods",
        put("GRPCRoute/ingest-admin", "spec/rules/0/backendRefs/0/name", "ingest-api"),
    ),
    Slip(
        "routes_complete",
        "a service's old name",
        put("GRPCRoute/status", "spec/rules/0/matches/0/method/service", "cutline.v1.Status"),
    ),
    Slip("routes_complete", "a service without a route", drop("GRPCRoute/status")),
    Slip("addresses", "another namespace", shared("CUTLINE_S3_ENDPOINT", "https://s3.storage.svc.cluster.local")),
    Slip("addresses", "another port", shared("CUTLINE_OTLP_ENDPOINT", "http://otel.observability.svc:4318")),
    Slip(
        "addresses",
        "the lag of another bus",
        put(
            "ScaledObject/mockup",
            "spec/triggers/0/metadata/natsServerMonitoringEndpoint",
            "nats-headless.queues.svc.cluster.local:8222",
        ),
    ),
    Slip(
        "mesh",
        "probes through the proxy",
        drop("Deployment/imaging", "spec/template/metadata/annotations/config.linkerd.io~skip-inbound-ports"),
    ),
    Slip(
        "mesh",
        "the bus through the proxy",
        put(
            "Deployment/imaging",
            "spec/template/metadata/annotations/traffic.sidecar.istio.io~excludeOutboundPorts",
            "5432",
        ),
    ),
    Slip(
        "mesh",
        "a job that never ends",
        drop("Job/migrate", "spec/template/metadata/labels/sidecar.istio.io~inject"),
    ),
    Slip("network_closed", "open unless said otherwise", drop("NetworkPolicy/default-deny")),
    Slip("network_out", "no way to the database", drop("NetworkPolicy/to-postgres")),
    Slip("network_out", "the bus's monitoring", put("NetworkPolicy/to-nats", "spec/egress/0/ports", [])),
    Slip("network_out", "anywhere", put("NetworkPolicy/to-dns", "spec/egress", [{}])),
    Slip("network_out", "the migrations too", put("NetworkPolicy/to-s3", "spec/podSelector", {})),
    Slip("network_out", "no names", drop("NetworkPolicy/to-dns", "spec/egress/0/ports/0")),
    Slip(
        "network_out",
        "every address",
        put("NetworkPolicy/to-s3", "spec/egress/0/to", [{"ipBlock": {"cidr": "0.0.0.0/0"}}, *_S3]),
    ),
    Slip(
        "network_in",
        "the whole internet",
        append("NetworkPolicy/from-clients-status", "spec/ingress/0/from", {"ipBlock": {"cidr": "0.0.0.0/0"}}),
    ),
    Slip("network_in", "no metrics", drop("NetworkPolicy/from-monitoring")),
    Slip("network_in", "no clients", put("NetworkPolicy/from-clients-status", "spec/ingress", [])),
    Slip("network_in", "anybody", put("NetworkPolicy/from-clients-ingest-api", "spec/ingress/0/from", [])),
    Slip(
        "network_in",
        "our own pods",
        append("NetworkPolicy/from-clients-ingest-api", "spec/ingress/0/from", {"podSelector": {}}),
    ),
    Slip("network_in", "more ports", drop("NetworkPolicy/from-clients-status", "spec/ingress/0/ports")),
)

SLIPS: Final = (*_OF_WORKLOADS, *_OF_SETTINGS, *_OF_SCALING, *_OF_NETWORK)
