{{/* Names, labels and the pod, which all parts share. Each takes (dict "top" $ "part" "worker"). */}}

{{- define "tidegate.name" -}}
{{ .top.Release.Name | trunc 48 | trimSuffix "-" }}-{{ .part }}
{{- end }}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: tidegate
app.kubernetes.io/instance: {{ .top.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/managed-by: {{ .top.Release.Service }}
helm.sh/chart: {{ .top.Chart.Name }}-{{ .top.Chart.Version }}
{{- end }}

{{- define "tidegate.account" -}}
{{ .Values.serviceAccount.name | default (ternary .Release.Name "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* The text of the file as it was given: numbers and ${…} stay as they are. */}}
{{- define "tidegate.config" -}}
{{- $metrics := (fromYaml .Values.config).metrics -}}
{{ .Values.config }}
{{- if not $metrics }}
metrics: {bind: 0.0.0.0, ingress_port: 9464, worker_port: 9464}
{{- else if or (ne $metrics.bind "0.0.0.0") (ne (int $metrics.ingress_port) 9464) (ne (int $metrics.worker_port) 9464) }}
{{- fail "config: expected `metrics: {bind: 0.0.0.0, ingress_port: 9464, worker_port: 9464}`, or no `metrics`" }}
{{- end }}
{{- end }}

{{- define "tidegate.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: page}
  periodSeconds: 5
  failureThreshold: 24
livenessProbe:
  httpGet: {path: /healthz, port: page}
  periodSeconds: 10
  timeoutSeconds: 7
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: page}
  periodSeconds: 10
  timeoutSeconds: 7
{{- end }}

{{/* The pod of a part. Further keys: args (a list), ports (a list), probes (a text). */}}
{{- define "tidegate.pod" -}}
{{- $top := .top -}}
{{- $values := index $top.Values .part -}}
metadata:
  labels: {{- include "tidegate.labels" . | nindent 4 }}
  annotations:
    checksum/config: {{ include "tidegate.config" $top | sha256sum }}
spec:
  serviceAccountName: {{ include "tidegate.account" $top }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 60
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: {type: RuntimeDefault}
  {{- with $top.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $name := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
  {{- with index $values $name }}
  {{ $name }}: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: {{ .part }}
      image: "{{ required "image.repository: set the name of your image" $top.Values.image.repository }}:{{ required "image.tag: set the version of your image" $top.Values.image.tag }}"
      imagePullPolicy: {{ $top.Values.image.pullPolicy }}
      args: {{- toYaml .args | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      {{- with $top.Values.existingSecret }}
      envFrom:
        - secretRef: {name: {{ . }}}
      {{- end }}
      {{- with .ports }}
      ports: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .probes }}
      {{- . | nindent 6 }}
      {{- end }}
      resources: {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/tidegate, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- range .volumes }}
        - {name: {{ .name }}, mountPath: {{ .path }}, readOnly: true}
        {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ $top.Values.existingConfigMap | default (include "tidegate.name" (dict "top" $top "part" "config")) }}}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- range .volumes }}
    - name: {{ .name }}
      secret: {secretName: {{ .secret }}}
    {{- end }}
{{- end }}

{{/* Secrets of a part that are files, as JSON: each with name, path and secret. */}}
{{- define "tidegate.secrets" -}}
{{- $values := .top.Values -}}
{{- $found := list -}}
{{- with $values.existingSecretFiles }}{{ $found = append $found (dict "name" "secrets" "path" "/run/secrets/tidegate" "secret" .) }}{{ end -}}
{{- if ne .part "api" }}
{{- with $values.existingSecretsKey }}{{ $found = append $found (dict "name" "secrets-key" "path" "/run/secrets/tidegate-key" "secret" .) }}{{ end -}}
{{- else }}
{{- with $values.api.existingTlsSecret }}{{ $found = append $found (dict "name" "tls" "path" "/run/secrets/tidegate-tls" "secret" .) }}{{ end -}}
{{- end }}
{{- toJson $found -}}
{{- end }}

{{/* The budget of a part. */}}
{{- define "tidegate.budget" -}}
{{- with (index .top.Values .part).podDisruptionBudget }}
{{- if .enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "tidegate.name" $ }}
  labels: {{- include "tidegate.labels" $ | nindent 4 }}
spec:
  maxUnavailable: {{ .maxUnavailable }}
  selector:
    matchLabels: {{- include "tidegate.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
