"""What puts rollway into a cluster: images, a Helm chart, a kustomize base, a dashboard, alerts. Not in the wheel."""
