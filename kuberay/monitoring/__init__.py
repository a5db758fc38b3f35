"""What operators watch: alerts, each with its runbook, and dashboards. Rendered into the component `monitoring`.

`alerts.py` and `dashboards.py` are data; `rules.py` and `grafana.py` write them in the forms of Prometheus and Grafana. Every name
of a number in them exists: ours are read from `cluster.telemetry.metrics`, those of Ray are looked up in a running stack by a test.
"""
