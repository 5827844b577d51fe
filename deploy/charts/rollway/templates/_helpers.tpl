{{/* The names are those of `rollway install`, whatever the release is called: Lease, Secrets and webhook go by them. */}}
{{- define "rollway.name" -}}rollway-controller{{- end }}

{{- define "rollway.labels" -}}
app.kubernetes.io/part-of: rollway
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "rollway.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The arguments as JSON, in the order of `rollway install`. */}}
{{- define "rollway.args" -}}
{{- $args := list "controller" }}
{{- with .Values.watchNamespace }}{{ $args = concat $args (list "--namespace" .) }}{{ end }}
{{- with .Values.metricsServer }}{{ $args = concat $args (list "--metrics-server" .) }}{{ end }}
{{- with .Values.defaultProvider }}{{ $args = concat $args (list "--default-provider" .) }}{{ end }}
{{- if not .Values.flagger }}{{ $args = append $args "--no-flagger" }}{{ end }}
{{- if not .Values.crossNamespaceRefs }}{{ $args = append $args "--no-cross-namespace-refs" }}{{ end }}
{{- with .Values.eventWebhook }}{{ $args = concat $args (list "--event-webhook" .) }}{{ end }}
{{- with .Values.refuseAddresses }}{{ $args = concat $args (list "--refuse-addresses" (join "," .)) }}{{ end }}
{{- with .Values.allowAddresses }}{{ $args = concat $args (list "--allow-addresses" (join "," .)) }}{{ end }}
{{- if .Values.admission.mode }}
{{- $args = concat $args (list "--admission" "0.0.0.0:9443") }}
{{- if .Values.admission.certificateSecret }}
{{- $args = concat $args (list "--admission-certificates" "/certificates") }}
{{- end }}
{{- end }}
{{- if .Values.web.enabled }}
{{- $args = concat $args (list "--web" "0.0.0.0:8081") }}
{{- if .Values.web.dashboard }}{{ $args = append $args "--dashboard" }}{{ end }}
{{- with .Values.web.externalUrl }}{{ $args = concat $args (list "--external-url" (trimSuffix "/" .)) }}{{ end }}
{{- if .Values.web.readOnly }}{{ $args = append $args "--read-only" }}{{ end }}
{{- end }}
{{- with .Values.history }}{{ $args = concat $args (list "--history" (toString .)) }}{{ end }}
{{- with .Values.workers }}{{ $args = concat $args (list "--workers" (toString .)) }}{{ end }}
{{- with .Values.log.format }}{{ $args = concat $args (list "--log-format" .) }}{{ end }}
{{- with .Values.log.level }}{{ $args = concat $args (list "--log-level" .) }}{{ end }}
{{- range .Values.extraArgs }}{{ $args = append $args (toString .) }}{{ end }}
{{- toJson $args }}
{{- end }}

{{/* A Role (with `namespace`) or a ClusterRole, and its binding: of `root`, `name` and `rules`. Within a namespace,
     rules on what has none are left out. */}}
{{- define "rollway.role" }}
{{- $kind := ternary "Role" "ClusterRole" (ne .namespace "") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ .name | quote }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "rollway.labels" .root | nindent 4 }}
rules:
{{- $namespace := .namespace }}
{{- range .rules }}
{{- if not (and .cluster $namespace) }}
  # {{ .why }}
  - apiGroups: {{ toJson .apiGroups }}
    resources: {{ toJson .resources }}
    verbs: {{ toJson .verbs }}
    {{- with .resourceNames }}
    resourceNames: {{ toJson . }}
    {{- end }}
{{- end }}
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ .name | quote }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "rollway.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ .root.Values.serviceAccount.name | quote }}
    namespace: {{ .root.Release.Namespace | quote }}
{{- end }}
